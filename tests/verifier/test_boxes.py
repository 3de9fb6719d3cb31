import pytest

from verirank.verifier import decide
from verirank.verifier._boxes import boxed_only


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"Adding gives $1+2$, so it is $\boxed{3}$.", "3"),
        (r"$x = \boxed{\frac{3}{56}}.\]", r"\frac{3}{56}"),
        (r"\boxed{9} \pmod{11}", "9"),
        (r"\boxed{6} and \boxed{8}", "6 and 8"),
        (r"the roots are $\boxed{-2}$ and $\boxed{1}$.", "-2 and 1"),
        (r"\fbox{7}", "7"),
    ],
)
def test_what_boxes_hold_is_the_answer(text, answer):
    assert boxed_only(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        r"-\boxed{5}",
        r"\boxed{2}^2",
        r"2\boxed{5}",
        r"\frac{1}{\boxed{5}}",
        r"3+\boxed{5}",
        r"\boxed{5}x",
        r"\boxed{5} x",
        r"\boxed{1}, later \boxed{2}",
        r"\boxed{5",
        "42",
    ],
)
def test_a_box_that_is_no_whole_value_stays_in_its_text(text):
    assert boxed_only(text) == text


def test_two_boxes_are_two_values():
    verdict = decide("2", r"\boxed{1} or \boxed{2}")
    assert verdict is not None and (verdict.correct, verdict.reason) == (False, "several answers")
    verdict = decide("6,8", r"\boxed{8} and \boxed{6}")
    assert verdict is not None and verdict.correct
