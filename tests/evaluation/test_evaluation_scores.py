"""Scores of a bench: from every sample, in any order, with streams that do not depend on others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from verirank.config import resolve
from verirank.evaluation import sample_bench, score, without_overlap
from verirank.models import load_base
from verirank.record import read_samples, write_samples
from verirank.sampling import TransformersSampler
from verirank.tasks import bench_settings, load_task
from verirank.verifier import Verifier


def samples(n: int = 12, k: int = 4, seed: int = 0) -> pa.Table:
    config = resolve({"seed": seed, "evaluation": {"problems": n, "samples": k}})
    with Verifier(config.verifier) as verifier:
        return sample_bench(
            TransformersSampler(load_base(config.model)),
            verifier,
            load_task(config.task),
            "test",
            config,
            "before",
        )


def test_scores_come_from_every_sample_whatever_their_order() -> None:
    table = samples()
    correct = np.array(table["correct"].to_pylist()).reshape(12, 4)
    scores = score(table)
    assert scores["avg_at_k"] == correct.mean()
    assert scores["pass_at_k"] == correct.any(1).mean()
    assert (scores["n"], scores["k"]) == (12, 4)
    shuffled = table.take(np.random.default_rng(0).permutation(len(table)))
    assert score(shuffled) == scores


def test_the_samples_of_a_problem_are_independent_and_repeatable() -> None:
    table = samples(seed=3)
    assert len(set(table["seed"].to_pylist())) == len(table)
    assert samples(seed=3).equals(table)
    assert not samples(seed=4).equals(table)


def test_fewer_problems_leave_the_others_samples_as_they_were() -> None:
    few, many = samples(n=6), samples(n=12)
    assert many.slice(0, len(few))["completion"].equals(few["completion"])


def test_stages_lie_in_one_file_and_come_back_apart(tmp_path: Path) -> None:
    before = samples(n=4, k=2)
    column = before.schema.get_field_index("stage")
    after = before.set_column(column, "stage", pa.array(["after"] * len(before)))
    write_samples(tmp_path / "test.parquet", [before, after])
    assert read_samples(tmp_path / "test.parquet", "before").equals(before)
    assert read_samples(tmp_path / "test.parquet", "after").equals(after)


def test_a_bench_is_sampled_in_its_own_way_unless_the_trial_says_otherwise() -> None:
    shared = {"task": {"name": "math"}}
    task = load_task(resolve(shared).task)
    own = bench_settings(task, "aime24", resolve(shared))
    assert (own.problems, own.samples, own.temperature) == (30, 32, 0.6)
    said = {**shared, "evaluation": {"samples": 4, "temperature": 1.0}}
    asked = bench_settings(task, "aime24", resolve(said))
    assert (asked.problems, asked.samples, asked.temperature) == (30, 4, 1.0)


def test_scores_without_the_problems_that_the_training_set_holds() -> None:
    table = samples()
    ids = sorted(set(table["problem"].to_pylist()))
    clean = without_overlap(table, frozenset(ids[:5]))
    assert clean is not None
    kept = [row["correct"] for row in table.to_pylist() if row["problem"] in ids[5:]]
    assert clean["n"] == 7
    assert clean["avg_at_k"] == sum(kept) / len(kept)
    assert without_overlap(table, frozenset()) is None
    assert without_overlap(table, frozenset(ids[1:])) is None


def test_a_sample_tells_its_question_and_gold() -> None:
    problems = {p.id: p for p in load_task(resolve({}).task).bench("test", 4)}
    for row in samples(n=4, k=1).to_pylist():
        problem = problems[row["problem"]]
        assert (row["prompt"], row["gold"]) == (problem.prompt, problem.answer)


def test_samples_of_an_earlier_version_lie_beside_those_of_this_one(tmp_path: Path) -> None:
    now = samples(n=4, k=2)
    earlier = now.drop_columns(["prompt", "gold"])
    column = now.schema.get_field_index("stage")
    after = now.set_column(column, "stage", pa.array(["after"] * len(now)))
    write_samples(tmp_path / "test.parquet", [earlier, after])
    assert read_samples(tmp_path / "test.parquet", "after").num_rows == len(now)
    before = read_samples(tmp_path / "test.parquet", "before")
    assert before["gold"].null_count == len(now)
    assert score(before) == score(now)
