from types import SimpleNamespace

import pytest

from verirank.cli.tables._progress import _Lines


def step(number: int) -> SimpleNamespace:
    return SimpleNamespace(metrics={"step": number, "reward_mean": 0.5})


def test_without_a_terminal_the_first_and_last_step_are_printed_and_one_a_minute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([0.0, 10.0, 20.0, 75.0, 80.0])
    monkeypatch.setattr("time.monotonic", lambda: next(seconds))
    lines = _Lines(steps=4, done=0)
    for number in (1, 2, 3, 4):
        lines(step(number))
    assert capsys.readouterr().out.splitlines() == [
        "step 1/4: reward 0.500, about 30 s left",
        "step 3/4: reward 0.500, about 25 s left",
        "step 4/4: reward 0.500",
    ]
