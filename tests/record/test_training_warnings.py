"""What goes wrong in training, told from the metrics, with the step at which it began."""

from __future__ import annotations

from typing import Any

import pytest

from verirank.record import TrainingWarning, training_warnings

SOUND: dict[str, Any] = {
    "reward_mean": 0.4,
    "groups_used": 8,
    "truncated_fraction": 0.1,
    "entropy": 0.5,
    "grad_norm": 1.0,
    "served_changed_fraction": 0.6,
    "kl_train_sampler": 0.001,
    "samples": 64,
    "unverified": 0,
    "verifier_failures": 3,
}


def lines(sound: int, changes: dict[str, Any], then: int) -> list[dict[str, Any]]:
    """Return so many sound steps, then so many with changes."""
    steps = [SOUND] * sound + [SOUND | changes] * then
    return [{**line, "step": step} for step, line in enumerate(steps, 1)]


@pytest.mark.parametrize(
    ("kind", "changes", "needed"),
    [
        ("no signal", {"groups_used": 0, "entropy": None, "kl_train_sampler": None}, 5),
        ("cut off", {"truncated_fraction": 0.95}, 5),
        ("entropy collapse", {"entropy": 0.009}, 5),
        ("gradient norm", {"grad_norm": 101.0}, 3),
        ("weights do not move", {"served_changed_fraction": 0.0009}, 10),
        ("sampler drift", {"kl_train_sampler": 0.11}, 5),
        ("unverified answers", {"unverified": 13}, 3),
        ("failing verifier", {"verifier_failures": 32}, 3),
    ],
)
def test_a_warning_begins_where_its_rule_holds_for_enough_steps(
    kind: str, changes: dict[str, Any], needed: int
) -> None:
    assert training_warnings(lines(20, changes, needed - 1)) == []
    (warning,) = training_warnings(lines(20, changes, needed))
    assert warning == TrainingWarning(kind, 21)
    assert str(warning).startswith("from step 21: ")


def test_a_policy_that_is_right_and_sure_has_not_collapsed() -> None:
    assert training_warnings(lines(0, {"entropy": 0.001, "reward_mean": 0.9}, 30)) == []


def test_a_limit_that_right_answers_fit_into_is_no_fault() -> None:
    assert training_warnings(lines(0, {"truncated_fraction": 1.0, "reward_mean": 0.6}, 30)) == []


def test_where_no_group_is_used_the_rate_is_not_to_blame() -> None:
    unmoved = {"groups_used": 0, "served_changed_fraction": 0.0}
    assert [warning.kind for warning in training_warnings(lines(0, unmoved, 30))] == ["no signal"]


def test_steps_that_do_not_follow_each_other_are_no_warning() -> None:
    cut_off = {"truncated_fraction": 1.0}
    steps = (lines(1, cut_off, 4) * 3)[:14]
    assert training_warnings([{**line, "step": i} for i, line in enumerate(steps)]) == []
