"""Where a trial of the local executor computes, and when it has to wait."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from verirank.config import TrialConfig, resolve, usable_cores
from verirank.study.executors import Capacity, Slot

GB = 10**9


def trial(device: str = "auto") -> TrialConfig:
    return resolve({"model": {"name": "micro"}, "machine": {"device": device}})


def free(monkeypatch: pytest.MonkeyPatch, available: float) -> None:
    memory = SimpleNamespace(available=available)
    monkeypatch.setattr("verirank.study.executors._capacity.psutil.virtual_memory", lambda: memory)


def test_every_gpu_takes_one_trial_and_trials_on_the_cpu_take_cores() -> None:
    capacity = Capacity(None, 1, ["2", "3"])
    first = capacity.slot(trial(), [])
    assert first is not None and first.gpu == "2"
    second = capacity.slot(trial("cuda"), [(first, GB)])
    assert second is not None and second.gpu == "3"
    assert capacity.slot(trial(), [(first, GB), (second, GB)]) is None
    on_cpu = capacity.slot(trial("cpu"), [])
    assert on_cpu is not None and on_cpu.gpu is None
    assert capacity.slot(trial("cpu"), [(on_cpu, GB)] * usable_cores()) is None


def test_more_processes_than_gpus_share_them_evenly() -> None:
    capacity, taken = Capacity(4, 1, ["0", "1"]), list[tuple[Slot, int]]()
    while place := capacity.slot(trial(), taken):
        taken.append((place, GB))
    assert [place.gpu for place, _ in taken] == ["0", "1", "0", "1"]


def test_memory_that_running_trials_have_yet_to_take_is_not_given_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("verirank.study.executors._capacity.usable_cores", lambda: 8)
    capacity = Capacity(None, 1, [])
    capacity.largest = 2 * GB
    free(monkeypatch, 5 * GB)
    begun = Slot(None, 2 * GB)
    assert capacity.slot(trial(), [(begun, 0)]) is not None
    assert capacity.slot(trial(), [(begun, 0), (begun, 0)]) is None
    assert capacity.slot(trial(), [(begun, 2 * GB), (begun, 2 * GB)]) is not None


def test_before_any_trial_has_told_its_memory_is_the_planned_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    large = resolve({"model": {"name": "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"}})
    free(monkeypatch, 20 * GB)
    alone = Capacity(None, 1, []).slot(large, [])
    assert alone is not None and alone.memory > 28 * GB
    assert Capacity(None, 1, []).slot(large, [(Slot(None, GB), GB)]) is None
