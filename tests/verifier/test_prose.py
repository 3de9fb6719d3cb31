"""Answers in sentences, which math-verify compares where no word denies the value."""

import pytest

from verirank.verifier import decide
from verirank.verifier._equality import compare

LONG = "After a long computation, each step of which is checked twice, and after a review of every "
LONG += "argument that was made on the way, we see that there are many options to look at here. "


@pytest.mark.parametrize(
    "answer",
    [
        "The number of residents is **42**",
        "The least possible value is 42",
        LONG + "The least value is 42.",
        LONG + "Therefore the answer is 42.",
    ],
)
def test_a_sentence_that_states_the_value_is_right(answer):
    verdict = decide("42", answer)
    assert verdict.correct if verdict else compare("42", answer)[0]


@pytest.mark.parametrize(
    "answer",
    [
        "At least one more than the value is 42",
        "The value is under 42",
        LONG + "The answer is less than 42.",
        LONG + "It cannot be 42.",
    ],
)
def test_a_sentence_that_denies_the_value_is_wrong(answer):
    verdict = decide("42", answer)
    assert verdict is not None and not verdict.correct
