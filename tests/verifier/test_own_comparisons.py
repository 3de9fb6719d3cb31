import pytest

from verirank.config import VerifierConfig
from verirank.verifier import LENIENT, Verifier

NOT_THERE = "verirank.no_such_module:compare"


@pytest.fixture
def verifier():
    with Verifier(VerifierConfig(workers=1)) as verifier:
        yield verifier


def test_a_comparison_that_cannot_be_loaded_is_an_error_and_no_verdict(verifier):
    with pytest.raises(RuntimeError, match=r"cannot load verirank\.no_such_module:compare"):
        verifier.verify("1", "2", comparison=NOT_THERE)


def test_verdicts_of_two_comparisons_are_kept_apart(verifier):
    assert verifier.verify(r"\frac13", "0.333", comparison=LENIENT).correct
    assert not verifier.verify(r"\frac13", "0.333").correct
    assert verifier.verify(r"\frac13", "0.333", comparison=LENIENT).correct
    assert verifier.verify(r"2\dot{x}", r"\dot{x} 2").reason == "equal"
    assert verifier.verify(r"2\dot{x}", r"\dot{x} 2").reason == "equal"


def test_no_answer_is_refused_before_any_comparison(verifier):
    assert verifier.verify("1", None, comparison=NOT_THERE).reason == "no answer"
