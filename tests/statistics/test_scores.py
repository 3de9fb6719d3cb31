"""Avg@k, Pass@k and maj@k against brute force."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from verirank.statistics import accuracies, avg_at_k, maj_at_k, pass_at_k

correct_arrays = arrays.arrays(bool, st.tuples(st.integers(1, 5), st.integers(1, 7)))


@given(correct=correct_arrays, data=st.data())
def test_pass_at_k_is_the_share_of_subsets_that_hold_a_right_sample(correct, data) -> None:
    k = data.draw(st.integers(1, correct.shape[1]))
    shares = [np.mean([any(subset) for subset in combinations(row, k)]) for row in correct]
    assert pass_at_k(correct, k) == pytest.approx(np.mean(shares))


@given(correct=correct_arrays)
def test_pass_at_1_is_avg_at_k(correct) -> None:
    by_hand = sum(map(sum, correct.tolist())) / correct.size
    assert avg_at_k(correct) == pytest.approx(by_hand)
    assert pass_at_k(correct, 1) == pytest.approx(by_hand)


def test_pass_at_k_stays_exact_where_binomials_overflow_a_float() -> None:
    correct = np.zeros((1, 2000), dtype=bool)
    correct[0, :1] = True
    assert pass_at_k(correct, 1000) == pytest.approx(0.5)


@given(
    votes=st.lists(
        st.tuples(st.sampled_from(["a", "b", "c", None]), st.booleans()), min_size=1, max_size=8
    )
)
def test_maj_at_k_is_the_expectation_over_a_random_tie_break(votes) -> None:
    answers = [answer for answer, _ in votes]
    stated = [answer for answer in answers if answer is not None]
    most = max((stated.count(answer) for answer in stated), default=None)
    winners = {answer for answer in answers if answer and stated.count(answer) == most} or {None}
    shares = [np.mean([c for answer, c in votes if answer == winner]) for winner in winners]
    correct = np.array([[c for _, c in votes]])
    assert maj_at_k([answers], correct) == pytest.approx(np.mean(shares))


def test_unanswered_samples_never_outvote_a_stated_answer() -> None:
    assert maj_at_k([[None, None, None, "7"]], [[False, False, False, True]]) == 1.0


def test_a_problem_without_any_answer_is_wrong() -> None:
    assert maj_at_k([[None, None]], [[False, False]]) == 0.0


def test_a_tied_vote_scores_the_expected_value() -> None:
    assert maj_at_k([["7", "8", "8", "7", None]], [[True, False, False, True, False]]) == 0.5


@pytest.mark.parametrize("bad", [[[1.0, np.nan]], [[True, None]], [[1, 0]], [True], [[]]])
def test_anything_but_a_filled_boolean_array_is_refused(bad) -> None:
    with pytest.raises(ValueError, match="boolean"):
        avg_at_k(np.array(bad))


def test_pass_at_k_refuses_more_tries_than_samples() -> None:
    with pytest.raises(ValueError, match="k = 3"):
        pass_at_k([[True, False]], 3)


def test_maj_at_k_refuses_answers_of_another_shape() -> None:
    with pytest.raises(ValueError, match="shape"):
        maj_at_k([["7"]], [[True, False]])


@given(correct=correct_arrays, data=st.data())
def test_a_sample_that_failed_never_raises_a_score(correct, data) -> None:
    k = data.draw(st.integers(1, correct.shape[1]))
    failed = correct & ~data.draw(arrays.arrays(bool, correct.shape))
    assert avg_at_k(failed) <= avg_at_k(correct)
    assert pass_at_k(failed, k) <= pass_at_k(correct, k) + 1e-12


@given(correct=correct_arrays)
def test_a_problem_whose_samples_all_failed_counts_as_wrong(correct) -> None:
    problems, samples = correct.shape
    with_failed = np.vstack([correct, np.zeros((1, samples), bool)])
    share = problems / (problems + 1)
    assert avg_at_k(with_failed) == pytest.approx(share * avg_at_k(correct))
    assert pass_at_k(with_failed, samples) == pytest.approx(share * pass_at_k(correct, samples))
    answers = [["7"] * samples] * problems + [[None] * samples]
    assert maj_at_k(answers, with_failed) == pytest.approx(share * maj_at_k(answers[:-1], correct))


@pytest.mark.parametrize("score", [avg_at_k, lambda c: pass_at_k(c, 1)])
def test_a_problem_with_fewer_samples_than_others_is_refused(score) -> None:
    with pytest.raises(ValueError, match=r"inhomogeneous|boolean"):
        score([[True, False], [True]])


def test_a_majority_over_fewer_answers_than_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        maj_at_k([["7", "7"], ["7"]], [[True, True], [True, False]])


@given(correct=arrays.arrays(bool, st.tuples(*[st.integers(1, 9)] * 3)))
def test_shares_are_the_means_over_samples_to_the_bit(correct) -> None:
    assert (accuracies(correct) == correct.mean(axis=2)).all()
