from fractions import Fraction
from random import Random

import pytest

from verirank.verifier import decide


def decided(gold, prediction):
    verdict = decide(gold, prediction)
    return verdict and (verdict.correct, verdict.reason)


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        (r"\frac{1}{2004!}", r"\frac{1}{2006!}"),
        (r"\frac{5^{30}}{6^{29}}", r"\frac{5^{29}}{6^{29}}"),
        (r"1-\frac{1}{2^{100}}", r"1-\frac{1}{2^{101}}"),
        ("10^{-120}", r"2 \cdot 10^{-120}"),
        ("52_8", "52_9"),
        ("1010", "1010_2"),
        ("1.25", "2 3/4"),
        ("0", r"10\,080"),
        ("10 cm", "10 m"),
        ("5 hours", "5 minutes"),
        ("12", r"12\%"),
        (r"\frac{1}{3}", "0.333333"),
        (r"\frac12", "0.5000001"),
        ("(1,2)", r"\{1,2\}"),
        (r"[0,\infty)", r"[0,\infty]"),
        ("42", "43 = 42"),
        ("42", "x = 41 = 42"),
        ("42", "$43$ $42$"),
        ("42", "42 or maybe 43"),
        ("42", "definitely not 42"),
        ("42", "42?"),
        ("42", "0x2A"),
        ("5", "|x|=5"),
    ],
)
def test_unequal_answers_are_refused_without_sympy(gold, prediction):
    verdict = decided(gold, prediction)
    assert verdict is not None and not verdict[0]


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        ("2516_8", r"2516_{\text{eight}}"),
        ("2516_8", "(2516)_8"),
        ("2.75", "2 3/4"),
        ("2.75", "2¾"),
        ("0.5", "½"),
        (r"2\frac{3}{4}", r"\frac{11}{4}"),
        ("1000", r"1\,000"),
        (r"\frac{1}{3}", r"0.\overline{3}"),
        (r"12\%", "12"),
        (r"12\%", "0.12"),
        ("10 cm", "0.1 m"),
        ("10 cm", "10"),
        ("14 - i", "14.0 - 1.0i"),
        ("-1", "i^2"),
        ("12", r"\textbf{(B) }12"),
        ("18.90", "€18.90"),
        (r"\binom{10}{3}", "120"),
    ],
)
def test_equal_answers_are_accepted_without_sympy(gold, prediction):
    assert decided(gold, prediction) == (True, "numbers equal")


def test_generated_fractions_equal_themselves_in_other_notations_and_never_their_neighbours():
    generator = Random(0)
    for _ in range(2_000):
        value = Fraction(generator.randrange(-9_999, 9_999), generator.randrange(1, 999))
        scale = generator.randrange(2, 9)
        sign = "-" if value < 0 else ""
        gold = rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
        same = f"{value.numerator * scale}/{value.denominator * scale}"
        other = value + generator.choice((-1, 1)) * Fraction(1, 10 ** generator.randrange(1, 60))
        assert decided(gold, same) == (True, "numbers equal")
        assert decided(gold, str(other)) == (False, "numbers differ")


def test_a_power_too_large_to_compute_is_left_to_the_worker():
    assert decided("1", "9^{9^{9^9}}") is None
