"""A proof that many trials wait for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from verirank.config import MethodConfig, ModelConfig
from verirank.models import load_base
from verirank.record import hold
from verirank.study import Study
from verirank.trial import prove
from verirank.trial._proof import _proof_file


def test_a_proof_gives_signs_of_life_while_it_waits_and_at_every_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_study: Callable[..., Study]
) -> None:
    arm = small_study("ln-tuning").arms()[0].settings
    base = load_base(arm.model)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lock = _proof_file(arm.method, base).with_suffix(".lock")
    lock.parent.mkdir(parents=True)
    signs, waits = list[bool](), Event()

    def sign() -> None:
        signs.append(held)
        waits.set()

    with ThreadPoolExecutor(1) as pool:
        held = True
        with hold(lock, "another trial proves the method"):
            proof = pool.submit(prove, arm.method, arm.model, base, on_progress=sign)
            assert waits.wait(20)
            held = False
        checks = proof.result()["checks"]
    assert signs.count(True) >= 1
    assert signs.count(False) >= len(checks)


@pytest.mark.parametrize(
    "content",
    ["{", pytest.param('{"passed": false, "checks": []}', marks=pytest.mark.thorough)],
)
def test_a_damaged_proof_is_made_anew(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    config, model = MethodConfig(name="ln-tuning"), ModelConfig()
    base = load_base(model)
    file = _proof_file(config, base)
    file.parent.mkdir(parents=True)
    file.write_text(content)
    assert prove(config, model, base)["passed"]
    assert prove(config, model, base)["proven"] in file.read_text()


def test_a_cache_that_takes_no_files_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/cache")
    model = ModelConfig()
    assert prove(MethodConfig(name="ln-tuning"), model, load_base(model))["passed"]
