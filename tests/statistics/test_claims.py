"""Claims are supported, contradicted or not resolvable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verirank.statistics import Claim, judge_runs

BEATS = Claim("above", 0.0)


def samples(chance: float, *, seeds: int = 3, problems: int = 200, k: int = 16) -> np.ndarray:
    # The problems' chances and the draws are the same for every arm, but for the arm's shift.
    generator = np.random.default_rng(0)
    chances_P1 = chance + generator.uniform(-0.2, 0.2, size=(problems, 1))
    return np.random.default_rng(round(1e4 * chance)).random((seeds, problems, k)) < chances_P1


@given(
    relation=st.sampled_from(["above", "below", "within"]),
    bound=st.floats(0.01, 0.5),
    ends=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
)
def test_a_verdict_is_what_the_claim_is_over_the_whole_interval(relation, bound, ends) -> None:
    low, high = sorted(ends)
    holds = {
        "above": lambda effect: effect > bound,
        "below": lambda effect: effect < bound,
        "within": lambda effect: abs(effect) < bound,
    }[relation]
    inside = [e for e in (-bound, bound, 0.0) if low <= e <= high]
    truths = {holds(effect) for effect in (low, high, *inside)}
    outcome = Claim(relation, bound).judge(low, high)
    if outcome == "supported":
        assert truths == {True}
    elif outcome == "contradicted":
        assert truths == {False}
    else:
        assert truths == {True, False} or bound in map(abs, ends)


@pytest.mark.parametrize(
    ("claim", "a", "outcome"),
    [
        (BEATS, 0.6, "supported"),
        (BEATS, 0.4, "contradicted"),
        (BEATS, 0.503, "not_resolvable"),
        (Claim("below", 0.2), 0.6, "supported"),
        (Claim("within", 0.05), 0.503, "supported"),
        (Claim("within", 0.03), 0.6, "contradicted"),
    ],
)
def test_each_run_is_judged_by_its_own_problems(claim: Claim, a: float, outcome: str) -> None:
    found = judge_runs(claim, samples(a), samples(0.5), np.random.default_rng(0))
    assert [its for its, _ in found] == [outcome] * 3


def test_runs_that_never_answer_right_are_not_certain_to_be_equal() -> None:
    never = np.zeros((1, 30, 8), bool)
    for margin, outcome in ((0.03, "not_resolvable"), (0.2, "supported")):
        claim = Claim("within", margin)
        ((found, _),) = judge_runs(claim, never, never, np.random.default_rng(0))
        assert found == outcome


def test_an_equality_without_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="margin above 0"):
        Claim("within", 0.0)


def test_arms_on_other_seeds_or_problems_are_refused() -> None:
    with pytest.raises(ValueError, match="same seeds and problems"):
        judge_runs(BEATS, samples(0.5), samples(0.5, seeds=2), np.random.default_rng(0))


def test_problems_in_groups_tell_a_run_less_than_problems_alone() -> None:
    generator = np.random.default_rng(3)
    chance_P = np.repeat(generator.beta(1, 1, 12), 16)
    a = generator.random((1, 192, 4)) < chance_P[:, None]
    b = np.zeros_like(a)
    (_, alone), (_, grouped) = (
        judge_runs(BEATS, a, b, np.random.default_rng(0), groups)[0]
        for groups in (None, np.repeat(np.arange(12), 16).tolist())
    )
    assert grouped.mean == pytest.approx(alone.mean)
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)
    with pytest.raises(ValueError, match="group of every problem"):
        judge_runs(BEATS, a, b, np.random.default_rng(0), [0, 1])
