"""What a search does next, from what is known alone: which rates go on, and which one wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verirank.study import SearchConfig, make_study
from verirank.study._narrowing import Known, decide, rungs

SEEDS = (1000, 1001, 1002)
AT = (30, 45, 60)
PROBLEMS = 64


def values(score: float, seed: int, spread: float = 0.3) -> np.ndarray:
    """Return values of a seed's problems around a score, the same for every rate but for it."""
    return score + np.random.default_rng(seed).normal(0, spread, PROBLEMS)


def known(scores: Mapping[float, Mapping[int, float | None]]) -> dict[float, dict[int, Known]]:
    """Return what is known of rates by their scores at rungs, where None stands for a failure."""
    found: dict[float, dict[int, Known]] = {}
    for rate, by_steps in scores.items():
        found[rate] = {
            seed: Known(
                {at: values(s, seed) for at, s in by_steps.items() if s is not None},
                "diverged" if None in by_steps.values() else None,
            )
            for seed in SEEDS
        }
    return found


def run_out(
    curve: Mapping[float, Sequence[float | None]], at: Sequence[int] = AT
) -> tuple[float | None, dict[float, int], dict[float, int]]:
    """Run a search to its end; return the winner, what was dropped, and the steps of each rate."""
    state = {rate: {seed: Known() for seed in SEEDS} for rate in curve}
    while (decision := decide(state, at)).trials:
        for rate, seed in decision.trials:
            score = curve[rate][list(at).index(decision.steps)]
            if score is None:
                state[rate][seed].error = "diverged"
            else:
                state[rate][seed].values_P[decision.steps] = values(score, seed)
    spent = {r: max(max(o.values_P, default=0) for o in s.values()) for r, s in state.items()}
    return decision.winner, decision.dropped, spent


def test_every_rate_is_trained_with_every_seed_to_the_first_rung() -> None:
    state = {rate: {seed: Known() for seed in SEEDS} for rate in (1.0, 2.0)}
    decision = decide(state, AT)
    assert set(decision.trials) == {(rate, seed) for rate in (1.0, 2.0) for seed in SEEDS}
    assert (decision.steps, decision.winner, decision.dropped) == (30, None, {})


def test_a_rate_goes_on_unless_it_is_surely_worse() -> None:
    state = known({1.0: {30: 0.2}, 2.0: {30: 0.68}, 4.0: {30: 0.7}, 8.0: {30: 0.69}})
    for rate in state:  # noise of a seed and rate of its own, as between trials
        for seed, one in state[rate].items():
            one.values_P[30] += np.random.default_rng([seed, int(rate)]).normal(0, 0.02)
    decision = decide(state, AT)
    assert decision.dropped == {1.0: 30}
    assert {rate for rate, _ in decision.trials} == {2.0, 4.0, 8.0}
    assert decision.steps == 45


def test_those_beside_the_best_go_on_however_bad() -> None:
    state = known({1.0: {30: 0.1}, 2.0: {30: 0.2}, 4.0: {30: 0.9}, 8.0: {30: 0.3}, 16.0: {30: 0.1}})
    assert {rate for rate, _ in decide(state, AT).trials} == {2.0, 4.0, 8.0}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=7))
def test_two_finalists_at_least_reach_the_last_step(scores: list[float]) -> None:
    curve = {2.0**n: [score] * 3 for n, score in enumerate(scores)}
    winner, dropped, spent = run_out(curve)
    finalists = [rate for rate, steps in spent.items() if steps == 60]
    assert len(finalists) >= 2 and winner is not None
    assert set(finalists) | set(dropped) == set(curve)
    assert min(finalists) <= winner <= max(finalists)


def test_the_curve_of_the_finalists_finds_a_rate_off_the_grid() -> None:
    rates = [10.0**n for n in (-4, -3.5, -3, -2.5, -2)]
    best = 10**-2.9
    curve = {r: [0.8 - 0.2 * np.log10(r / best) ** 2] * 3 for r in rates}
    winner, _, _ = run_out(curve)
    assert winner == pytest.approx(best, rel=0.01)


def test_a_rate_that_fails_with_one_seed_goes_no_further() -> None:
    state = known({1.0: {30: 0.5}, 2.0: {30: 0.5}, 4.0: {30: 0.9}})
    del state[4.0][SEEDS[1]].values_P[30]
    state[4.0][SEEDS[1]].error = "diverged"
    decision = decide(state, AT)
    assert {rate for rate, _ in decision.trials} == {1.0, 2.0}
    assert decision.dropped == {4.0: 30}


def test_where_all_that_went_on_diverge_the_best_that_was_dropped_goes_on() -> None:
    curve = {
        1.0: [0.1, 0.15, 0.2],
        2.0: [0.2, 0.3, 0.4],
        4.0: [0.8, 0.8, None],
        8.0: [0.9, 0.9, None],
        16.0: [0.8, None, None],
    }
    winner, dropped, spent = run_out(curve)
    assert winner == 2.0 and spent[2.0] == 60
    assert dropped == {1.0: 30, 4.0: 60, 8.0: 60, 16.0: 45}


def test_where_every_rate_diverges_the_one_that_came_furthest_wins() -> None:
    curve = {1.0: [0.5, None, None], 2.0: [0.4, 0.6, None], 4.0: [0.9, None, None], 8.0: [None] * 3}
    winner, dropped, _ = run_out(curve)
    assert winner == 2.0
    assert set(dropped) == set(curve)
    assert run_out({1.0: [None] * 3, 2.0: [None] * 3})[0] is None


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=3, max_size=3),
        min_size=1,
        max_size=6,
    )
)
def test_an_arm_has_a_winner_wherever_one_rate_was_seen_stable(
    curves: list[list[float | None]],
) -> None:
    curve = {2.0**n: one for n, one in enumerate(curves)}
    winner, _, spent = run_out(curve)
    assert (winner is None) == all(one[0] is None for one in curves)
    assert all(steps in (0, *AT) for steps in spent.values())


def test_a_search_that_is_replayed_from_its_scores_decides_alike() -> None:
    scores = {1.0: {30: 0.1}, 2.0: {30: 0.5, 45: 0.5, 60: 0.6}, 4.0: {30: 0.6, 45: 0.6, 60: 0.6}}
    decision = decide(known({r: dict(s) for r, s in scores.items()}), AT)
    assert not decision.trials
    assert decision.final is not None and decision.winner == decision.final.rate


def test_rungs_are_fractions_of_the_trial() -> None:
    for steps, expected in ((60, [30, 45, 60]), (1024, [512, 768, 1024]), (3, [2, 3]), (1, [1])):
        settings = {"name": "s", "preset": "quickstart", "methods": ["lora"]}
        (arm,) = make_study({**settings, "trial": {"training": {"steps": steps}}}).arms()
        assert rungs(arm, SearchConfig()) == expected
    assert rungs(arm, SearchConfig(rungs=())) == [1]


@pytest.mark.parametrize("steps", [3, 10, 60, 1024])
def test_no_rung_lies_before_adaloras_final_phase(steps: int) -> None:
    settings = {"name": "s", "preset": "quickstart", "methods": ["adalora", "lora"]}
    adalora, lora = make_study({**settings, "trial": {"training": {"steps": steps}}}).arms()
    search = SearchConfig(rungs=(0.1, 0.4, 0.6, 0.66, 0.75, 0.9))
    early = rungs(adalora, search)[:-1]
    # Its ranks stand for the last third.
    assert early == [at for at in rungs(lora, search)[:-1] if at >= steps - max(1, steps // 3)]
    assert steps < 60 or early
