"""A study's list of trials: damage and paths that leave the store are refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from verirank.record import DamagedError, read_trial_list

ENTRY = {
    "id": "a",
    "role": "ranked",
    "method": "lora",
    "seed": 0,
    "learning_rate": 0.1,
    "steps": 1,
}


@pytest.mark.parametrize(
    "content",
    [[], {}, {"store": "trials"}, {"store": 3, "trials": []}, {"store": ".", "trials": [{}]}],
)
def test_another_form_is_damage(tmp_path: Path, content: Any) -> None:
    (tmp_path / "trials.json").write_text(json.dumps(content))
    with pytest.raises(DamagedError, match=r"trials\.json is no list of trials"):
        read_trial_list(tmp_path)


@pytest.mark.parametrize("name", ["../a", "/a", "a/../../b"])
def test_a_trial_outside_the_store_is_refused(tmp_path: Path, name: str) -> None:
    content = {"store": "trials", "trials": [ENTRY, ENTRY | {"id": name}]}
    (tmp_path / "trials.json").write_text(json.dumps(content))
    with pytest.raises(DamagedError, match="outside the store"):
        read_trial_list(tmp_path)
