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


@pytest.mark.parametrize(
    "text",
    [
        *(r"\boxed{12}.5", r"\boxed{12}...", r"\boxed{12}, \ldots", r"\boxed{12} at most"),
        *(r"2 \cdot \boxed{12}", r"\ln \boxed{12}", r"x \neq \boxed{12}", r"\approx \boxed{12}"),
        *(r"approximately \boxed{12}", r"höchstens \boxed{12}", r"au moins \boxed{12}"),
        *(r"至少\boxed{12}", r"не менее \boxed{12}", r"le double de \boxed{12}"),
        *(r"I don't think the answer is \boxed{12}.", r"Die Antwort ist nicht \boxed{12}."),
        *(r"La respuesta no es \boxed{12}.", r"\boxed{12} ist falsch.", r"\boxed{12} est faux."),
        *(r"Some would say \boxed{12}, but that is wrong.", r"\boxed{12} is a wrong answer."),
        *(r"Suppose the answer were \boxed{12}. Contradiction.", r"\boxed{12} fails."),
        *(r"\boxed{12} does not satisfy the equation.", r"We reject \boxed{12}."),
        *(r"\boxed{12} million", r"\boxed{12} \text{ dozen}", r"\boxed{12} percent"),
        *(r"\boxed{12} Millionen", r"\boxed{12} тысяч"),
    ],
)
def test_what_stands_around_a_box_may_change_its_value(text):
    verdict = decide("12", text)
    assert verdict is not None and not verdict.correct


@pytest.mark.parametrize(
    ("gold", "text"),
    [
        ("12", r"There are about 30 ways; of these we count \boxed{12}."),
        ("12", r"This is not a square, so $x = 3 \cdot 4 = \boxed{12}$."),
        ("12", r"Hence \boxed{12} apples are left."),
        ("12", r"The answer is \boxed{12}. Note that 13 fails."),
        ("12000000", r"It is \boxed{12} million."),
        (r"12\%", r"The loss is \boxed{12} percent."),
        (r"12\%", r"The loss is $\boxed{12}\%$."),
    ],
)
def test_what_stands_around_a_box_may_leave_its_value(gold, text):
    verdict = decide(gold, text)
    assert verdict is not None and verdict.correct
