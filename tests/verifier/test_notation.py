import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verirank.config import VerifierConfig
from verirank.verifier import Verifier, decide
from verirank.verifier._notation import bare, rewritten


@pytest.fixture(scope="module")
def verifier():
    # Verdicts are tested here, not time: a busy machine must leave no pair unverified.
    with Verifier(VerifierConfig(deadline_seconds=20)) as verifier:
        yield verifier


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        (r"\, 27 \,", "27"),
        (r"\displaystyle{\frac{1}{2}}", r"\frac{1}{2}"),
        ("{{ 27 }}", "27"),
        (r"27\ ", "27"),
        ("{1}{2}", "{1}{2}"),
        (r"\{1, 2\}", r"\{1, 2\}"),
        (r"{\}}", r"\}"),
        (r"a\\", r"a\\"),
    ],
)
def test_only_what_surrounds_a_whole_text_is_taken_off(text, inner):
    assert bare(text) == inner


@given(st.text())
def test_taking_off_twice_changes_nothing_more_within_the_limit(text):
    assert bare(bare(text)) == bare(text)


@pytest.mark.parametrize(
    "text", ["{" * 20_000, "{" * 9_999 + "}" * 9_999, r"\," * 9_999, " " * 20_000]
)
def test_the_longest_answer_is_undressed_in_well_under_a_deadline(text):
    start = time.perf_counter()
    bare(text)
    assert time.perf_counter() - start < 0.5


@given(st.integers(-(10**6), 10**6), st.integers(-300, 300))
def test_a_calculators_power_of_ten_is_rewritten_as_a_product(mantissa, exponent):
    assert rewritten(f"{abs(mantissa)}e{exponent}") == rf"{abs(mantissa)} \cdot 10^{{{exponent}}}"


@pytest.mark.parametrize("text", ["3e^2", "2e", "x2e5", r"\theta_2e5", "e5", "1e5x", r"\frac1e"])
def test_eulers_number_is_left_alone(text):
    assert rewritten(text) == text


@given(st.integers(-999, 999), st.integers(-30, 30))
def test_numbers_with_a_power_of_ten_need_no_worker(mantissa, exponent):
    verdict = decide(f"{mantissa}e{exponent}", f"{mantissa}0e{exponent - 1}")
    assert verdict is not None and verdict.correct


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        ("4.5e33", r"4.5 \times 10^{33}"),
        ("4.5e33", r"\boxed{4.50 \cdot 10^{33} \text{ erg/s}}"),
        ("1e-5", "10^{-5}"),
        ("2.88e-19", r"2.88 \times 10^{-19}"),
        ("-1./3", r"-\frac{1}{3}"),
        ("np.arcsin(10/13)", r"\arcsin\left(\frac{10}{13}\right)"),
        (r"\frac{1}{3} E_{1}+\frac{2}{3} E_{2}", r"\frac{E_1 + 2 E_2}{3}"),
        (r"\frac{1}{m} t", r"\, \frac{1}{m} t \,"),
        ("(3,4]", "{(3,4]}"),
    ],
)
def test_a_value_in_another_notation_of_a_bench_is_right(verifier, gold, prediction):
    assert verifier.verify(gold, prediction).correct


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        ("1.325e-27", r"4.6 \times 10^{-24}"),
        ("1e-7", r"2 \cdot 10^{-7}"),
        ("1.325e-27", "0"),
        ("-1./3", "-1"),
        ("4.5e33", "4.5"),
        (r"\hbar \omega(v+1 / 2)-\frac{E_{0}^{2} e^{2}}{2 m \omega^{2}}", "2"),
        ("2", r"\frac{e_{0}(1+1 / 2)}{"),
        ("E_{1},E_{2}", "E_{1}"),
    ],
)
def test_a_small_number_or_a_fragment_is_not_taken_for_another_value(verifier, gold, prediction):
    assert not verifier.verify(gold, prediction).correct
