"""A proof that many trials wait for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from verirank.models import load_base
from verirank.record import hold
from verirank.study import Study
from verirank.study._proof import _place, prove


def test_a_proof_gives_signs_of_life_while_it_waits_and_at_every_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_study: Callable[..., Study]
) -> None:
    (arm,) = small_study("ln-tuning").arms()
    base = load_base(arm.model)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lock = _place(arm.method, base).with_suffix(".lock")
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
