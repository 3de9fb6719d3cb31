"""Claims are supported, contradicted or not resolvable, and what would resolve them is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verirank.statistics import (
    Claim,
    Difficulty,
    Interval,
    SeedNoise,
    StudyModel,
    bootstrap_accuracy,
    judge_accuracy,
    judge_difference,
    paired_difference,
)

BEATS = Claim("above", 0.0)
EQUALS = Claim("within", 0.03)


def samples(chance: float, *, seeds: int = 3, problems: int = 200, k: int = 16) -> np.ndarray:
    # The problems' chances and the draws are the same for every arm, but for the arm's shift.
    generator = np.random.default_rng(0)
    chances_P1 = chance + generator.uniform(-0.2, 0.2, size=(problems, 1))
    return np.random.default_rng(round(1e4 * chance)).random((seeds, problems, k)) < chances_P1


def judge(claim: Claim, a: float, b: float, **design: int) -> str:
    generator = np.random.default_rng(1)
    return judge_difference(claim, samples(a, **design), samples(b, **design), generator).outcome


@pytest.mark.parametrize(
    ("claim", "a", "b", "outcome"),
    [
        (BEATS, 0.6, 0.5, "supported"),
        (BEATS, 0.5, 0.6, "contradicted"),
        (BEATS, 0.503, 0.5, "not_resolvable"),
        (Claim("above", 0.2), 0.6, 0.5, "contradicted"),
        (Claim("below", 0.2), 0.6, 0.5, "supported"),
        (EQUALS, 0.503, 0.5, "supported"),
        (EQUALS, 0.6, 0.5, "contradicted"),
        (EQUALS, 0.53, 0.5, "not_resolvable"),
    ],
)
def test_a_claim_on_a_difference_gets_its_verdict(claim, a, b, outcome) -> None:
    assert judge(claim, a, b) == outcome


@pytest.mark.parametrize(("floor", "outcome"), [(0.6, "supported"), (0.4, "contradicted")])
def test_a_claim_on_a_floor_gets_its_verdict(floor: float, outcome: str) -> None:
    found = judge_accuracy(Claim("below", floor), samples(0.5), np.random.default_rng(0))
    assert found.outcome == outcome


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


def test_one_seed_supports_no_claim_on_methods_and_gets_no_interval() -> None:
    a, b = samples(0.7, seeds=1), samples(0.4, seeds=1)
    found = judge_difference(BEATS, a, b, np.random.default_rng(0))
    assert (found.outcome, found.interval, found.p) == ("not_resolvable", None, None)
    assert found.reason.startswith("one seed says nothing of other seeds")
    of_runs = judge_difference(BEATS, a, b, np.random.default_rng(0), about="runs")
    assert of_runs.outcome == "supported"
    assert of_runs.interval is not None and of_runs.interval.over == ("problems", "samples")


def test_a_claim_on_runs_leaves_their_seeds_out_of_the_interval() -> None:
    generator = np.random.default_rng(2)
    shifts = np.array([-0.1, 0.0, 0.1])[:, None, None]
    a = generator.random((3, 200, 16)) < 0.55 + shifts
    b = generator.random((3, 200, 16)) < 0.5
    assert judge_difference(BEATS, a, b, generator).outcome == "not_resolvable"
    assert judge_difference(BEATS, a, b, generator, about="runs").outcome == "supported"


def test_the_interval_is_the_one_that_the_tables_show() -> None:
    a, b = samples(0.55), samples(0.5)
    found = judge_difference(BEATS, a, b, np.random.default_rng(5))
    shown = paired_difference(a, b, np.random.default_rng(5))
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((shown.low, shown.high))
    own = judge_accuracy(Claim("above", 0.0), a, np.random.default_rng(5)).interval
    alone = bootstrap_accuracy(a, np.random.default_rng(5))
    assert own is not None and (own.low, own.high) == pytest.approx((alone.low, alone.high))


@pytest.mark.parametrize("claim", [BEATS, EQUALS, Claim("below", 0.02)])
def test_p_is_at_most_5_percent_exactly_where_the_claim_is_resolved(claim: Claim) -> None:
    outcomes = set()
    for shift in np.linspace(-0.08, 0.08, 17):
        a, b = samples(0.5 + shift), samples(0.5)
        found = judge_difference(claim, a, b, np.random.default_rng(0))
        assert found.p is not None
        assert (found.p <= 0.05) == (found.outcome != "not_resolvable")
        outcomes.add(found.outcome)
    assert len(outcomes) == 3


def test_what_is_not_resolvable_says_how_many_samples_or_seeds_would_do() -> None:
    a, b = samples(0.52, k=1, problems=100), samples(0.5, k=1, problems=100)
    found = judge_difference(Claim("above", 0.0), a, b, np.random.default_rng(0))
    assert found.outcome == "not_resolvable" and found.remedy is not None
    assert found.remedy.samples is not None or found.remedy.seeds is not None
    assert found.reason == found.remedy.sentence


def test_among_many_tests_the_remedy_is_what_their_correction_asks_for() -> None:
    a, b = samples(0.52, k=1, problems=100), samples(0.5, k=1, problems=100)
    alone, among = (
        judge_difference(BEATS, a, b, np.random.default_rng(0), tests=tests).remedy
        for tests in (1, 20)
    )
    assert alone is not None and among is not None
    assert alone.seeds is not None and among.seeds is not None and among.seeds > alone.seeds


def test_what_only_a_correction_could_take_back_has_a_remedy_too() -> None:
    a, b = samples(0.6), samples(0.5)
    alone = judge_difference(BEATS, a, b, np.random.default_rng(0))
    assert alone.outcome == "supported" and alone.remedy is None
    assert alone.p is not None
    among = judge_difference(BEATS, a, b, np.random.default_rng(0), tests=int(0.05 / alone.p) + 1)
    assert among.outcome == "supported" and among.remedy is not None


def test_noise_that_other_methods_tell_resolves_with_fewer_seeds() -> None:
    generator = np.random.default_rng(3)
    shifts = generator.normal(0, 0.1, size=(3, 1, 1))
    a = generator.random((3, 200, 64)) < 0.55 + shifts - shifts.mean()
    b = generator.random((3, 200, 64)) < 0.5
    own = float((a.mean(axis=(1, 2)) - b.mean(axis=(1, 2))).var(ddof=1))
    told = SeedNoise(np.array([own]), np.array([24.0]))
    found = [judge_difference(BEATS, a, b, generator, noise=noise) for noise in (None, told)]
    assert found[0].p is not None and found[1].p is not None and found[1].p < found[0].p
    assert found[0].remedy is not None and found[1].remedy is not None
    assert (found[1].remedy.seeds or 0) < (found[0].remedy.seeds or 0)


def test_the_noise_of_seeds_is_told_from_that_of_samples() -> None:
    generator = np.random.default_rng(3)
    shifts = generator.normal(0, 0.1, size=(5, 1, 1))
    a = generator.random((5, 200, 64)) < 0.55 + shifts - shifts.mean()
    b = generator.random((5, 200, 64)) < 0.5
    found = judge_difference(BEATS, a, b, generator)
    assert found.outcome == "not_resolvable" and found.remedy is not None
    assert found.remedy.samples is None
    assert found.remedy.seeds is not None and found.remedy.seeds > 5


def test_arms_that_never_answer_right_are_not_certain_to_be_equal() -> None:
    never = np.zeros((3, 30, 8), bool)
    tight = judge_difference(EQUALS, never, never, np.random.default_rng(0))
    wide = judge_difference(Claim("within", 0.2), never, never, np.random.default_rng(0))
    assert (tight.outcome, wide.outcome) == ("not_resolvable", "supported")
    assert tight.p is not None and tight.p > 0.05 and wide.p is not None and wide.p < 0.05


def test_a_run_of_zeros_resolves_a_floor_with_the_problems_that_are_said_to_do() -> None:
    found = judge_accuracy(
        Claim("below", 0.05), np.zeros((3, 30, 8), bool), np.random.default_rng(0)
    )
    assert found.outcome == "not_resolvable" and found.remedy is not None
    needed = found.remedy.problems
    assert needed is not None
    for problems, outcome in ((needed, "supported"), (needed - 1, "not_resolvable")):
        never = np.zeros((3, problems, 8), bool)
        again = judge_accuracy(Claim("below", 0.05), never, np.random.default_rng(0))
        assert again.outcome == outcome


def test_a_false_claim_is_supported_at_most_5_times_in_100() -> None:
    generator = np.random.default_rng(6)
    drawn = StudyModel(Difficulty(0.3), seed_sd=0.02).draw(400, 3, 60, 8, generator)
    verdicts = []
    for a_SP, b_SP in zip(drawn.a_BSP, drawn.b_BSP, strict=True):
        a, b = (np.arange(8) < np.round(8 * arm)[..., None] for arm in (a_SP, b_SP))
        verdicts.append(judge_difference(BEATS, a, b, generator).outcome)
    assert verdicts.count("supported") / 400 <= 0.05
    assert verdicts.count("contradicted") / 400 <= 0.05


def test_an_equality_without_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="margin above 0"):
        Claim("within", 0.0)


def test_arms_on_other_seeds_or_problems_are_refused() -> None:
    with pytest.raises(ValueError, match="same seeds and problems"):
        judge_difference(BEATS, samples(0.5), samples(0.5, seeds=2), np.random.default_rng(0))


def test_a_claim_can_be_judged_on_any_interval() -> None:
    interval = Interval(0.1, 0.05, 0.15, 0.001, ("seeds",))
    assert BEATS.judge(interval.low, interval.high) == "supported"
