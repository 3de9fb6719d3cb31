import pytest

from verirank.config import VerifierConfig
from verirank.evaluation import votes_by_text, votes_by_value
from verirank.statistics import maj_at_k
from verirank.verifier import Verifier


@pytest.fixture(scope="module")
def verifier():
    with Verifier(VerifierConfig()) as verifier:
        yield verifier


def test_four_notations_of_the_right_answer_outvote_two_equal_wrong_ones(verifier):
    answers = [[r"\frac{1}{2}", "0.5", r"\dfrac12", "1/2", "3", "3"]]
    correct = [[True] * 4 + [False] * 2]
    votes = votes_by_value(verifier, answers, correct)
    assert maj_at_k(votes, correct) == 1.0
    assert maj_at_k(votes_by_text(answers), correct) == 0.0


def test_wrong_answers_vote_together_by_value_too(verifier):
    answers = [["7", "1/2", r"\frac{2}{4}", "0.5", None], ["x", "1", "y", "1.0", "x"]]
    correct = [[True] + [False] * 4, [False] * 5]
    first, second = votes_by_value(verifier, answers, correct)
    assert first[1] == first[2] == first[3] != first[0]
    assert first[4] is None
    assert second[0] == second[4]
    assert second[1] == second[3]
    assert len(set(second)) == 3


def test_right_answers_that_the_verifier_finds_equal_to_the_gold_alone_are_one(verifier):
    answers = [[r"12\%", "0.12", "4", "4"]]
    votes = votes_by_value(verifier, answers, [[True, True, False, False]])
    assert votes[0][0] == votes[0][1] != votes[0][2] == votes[0][3]


def test_no_answers_need_no_comparison(verifier):
    assert votes_by_value(verifier, [], []) == []
    assert votes_by_value(verifier, [[None, None]], [[False, False]]) == [[None, None]]
