"""What is odd about a set of problems is counted and said."""

import pytest

from verirank.tasks import Problem
from verirank.tasks._remarks import is_value, remarks_on


def problems(*pairs: tuple[str, str]) -> list[Problem]:
    return [Problem(str(n), text, answer) for n, (text, answer) in enumerate(pairs, start=1)]


def test_an_ordinary_set_has_no_remarks():
    assert not list(remarks_on(problems(("1+1?", "2"), ("2+2?", r"\frac{8}{2}")), "boxed"))


def test_repeated_problems_are_counted():
    (said,) = remarks_on(problems(("1+1?", "2"), ("1 + 1?", "2"), ("1+1? ", "2")), "boxed")
    assert said == "1 of 3 problems repeat another one and its answer (ids 3)"


def test_a_problem_with_two_answers_is_told():
    (said,) = remarks_on(problems(("1+1?", "2"), ("1+1?", "3"), ("x", "1")), "boxed")
    assert said.startswith("1 of 3 problems occur again with a different answer (ids 1)")


PROSE = "It follows by induction, see above."


def test_golds_that_are_no_values_are_counted_where_values_are_compared():
    some = problems(("a", PROSE), ("b", "2"), ("c", r"\frac{1}{"), ("d", "3"))
    (said,) = remarks_on(some, "boxed")
    assert "2 of 4 problems have a gold answer that is no value" in said and "ids 1, 3" in said
    assert not list(remarks_on(some, "text"))


def test_golds_that_are_no_numbers_are_counted_where_numbers_are_read():
    (said,) = remarks_on(problems(("a", "1,000"), ("b", "x"), ("c", "-1/2")), "number")
    assert "1 of 3 problems have a gold answer that is no number, such as 'x'" in said


@pytest.mark.parametrize(
    ("gold", "valued"),
    [
        ("-3", True),
        (r"\{1, 2\}", True),
        (r"\text{Paris and Rome}", True),
        (r"\left(3, \frac{\pi}{2}\right)", True),
        ("$5", True),
        ("x = 3 or x = 4", True),
        ("Monday morning", True),
        ("北京", True),
        (PROSE, False),
        ("2^{", False),
        ("N/A", False),
        ("nan", False),
        ("???", False),
    ],
)
def test_what_counts_as_a_value(gold, valued):
    assert is_value(gold) == valued
