"""What a study says of the base and of the time before training, and once steps were taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from verirank.models import load_shape
from verirank.record import Run, write_samples, write_trial_list
from verirank.study import FirstLook, Study
from verirank.trial import Store, expected_cost, read_base_outlook, trial_entry


@pytest.mark.parametrize(("slower", "corrects"), [(0.9, False), (1.1, False), (4.0, True)])
def test_the_first_steps_correct_the_time_that_the_base_led_to_expect(
    small_study: Callable[..., Study], tmp_path: Path, slower: float, corrects: bool
) -> None:
    study = small_study("ia3", steps=5)
    (arm,) = study.arms()
    trial, store = arm.trial(0), Store(tmp_path / "trials")
    run = Run.create(store.trial(trial), trial)
    entry = trial_entry(trial, "ranked", store.name_of(run.folder))
    write_trial_list(tmp_path, store.folder, [entry])
    look = FirstLook(study, tmp_path)
    assert list(look.lines()) == []

    samples = pa.table(
        {
            "stage": ["training"] * 4,
            "problem": ["a", "a", "b", "b"],
            "reward": pa.array([1.0, 0.0, 0.0, 0.0], pa.float32()),
            "answer": ["1", "2", "3", "4"],
            "truncated": [False] * 4,
            "length": [6] * 4,
        }
    ).replace_schema_metadata({"seconds": "8.0", "waited": "0.0", "prompt_tokens": "12.0"})
    write_samples(store.base_samples(trial) / "training-problems.parquet", [samples])
    base, expected = look.lines()
    assert base == "base on training problems: 25.0 %; rewards differ in 1 of 2 groups"
    assert expected.startswith("expected of each trial of ia3: about ")
    assert expected.endswith("(with no other work on its core)")
    assert list(look.lines()) == []

    outlook = read_base_outlook(store.base_samples(trial))
    assert outlook is not None
    a_step = slower * expected_cost(trial, load_shape(trial.model), outlook).a_step
    phases = ("sample", "verify", "train", "publish")
    line = {f"seconds_{phase}": a_step / 4 for phase in phases} | {"seconds_waited": a_step / 2}
    steps = "".join(json.dumps(line | {"step": step}) + "\n" for step in (1, 2, 3, 4))
    (run.folder / "metrics.jsonl").write_text(steps)
    said = list(look.lines())
    assert len(said) == corrects
    if corrects:
        assert said[0].startswith("by the first steps, each trial of ia3 takes about ")
        assert "other work has its core 50 % of the time), not " in said[0]
    assert list(look.lines()) == []
