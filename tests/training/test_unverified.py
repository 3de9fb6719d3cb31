"""Answers that the verifier left undecided are counted apart from wrong ones."""

import pyarrow as pa

from verirank.algorithms import Group
from verirank.evaluation import score
from verirank.sampling import Completion
from verirank.tasks import Problem
from verirank.training import sampling_metrics
from verirank.verifier import UNVERIFIED, Reward

REASONS = ["exact", UNVERIFIED, "different", "deadline"]


def test_a_step_counts_the_answers_left_undecided() -> None:
    rewards = tuple(Reward(float(r == "exact"), r == "exact", r, 0.0) for r in REASONS)
    completions = (Completion((1,), (2,), (-1.0,), "", False, 0),) * 4
    metrics = sampling_metrics([Group(Problem("a", "", ""), completions, rewards)] * 2)
    assert metrics["unverified"] == metrics["verifier_failures"] == 2
    assert metrics["reward_mean"] == 0.25


def test_a_bench_counts_the_samples_left_undecided() -> None:
    rows = [
        {"problem": p, "sample": k, "correct": r == "exact", "vote": k, "reason": r}
        for p in ("a", "b")
        for k, r in enumerate(REASONS)
    ]
    assert score(pa.Table.from_pylist(rows))["unverified"] == 2
