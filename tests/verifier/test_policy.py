import pytest

from verirank.verifier import LENIENT, STRICT, Policy, decide
from verirank.verifier._lenient import compare_leniently

ROUNDED, PERCENT = Policy(rounded_decimals=True), Policy(bare_percent=True)


@pytest.mark.parametrize(
    ("gold", "answer", "policy"),
    [
        (r"\sqrt{2}", "1.41421356", ROUNDED),
        (r"\frac{1}{3}", "0.333", ROUNDED),
        (r"-\frac{1}{2}+\frac{\sqrt{3}}{2}i", "-0.5+0.866025i", ROUNDED),
        ("10", r"10\%", PERCENT),
    ],
)
def test_a_policy_accepts_what_the_rules_refuse(gold, answer, policy):
    strict, lenient = decide(gold, answer, STRICT), decide(gold, answer, policy)
    assert strict is not None and not strict.correct
    assert lenient is not None and (lenient.correct, lenient.reason) == (True, "accepted by policy")


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"\sqrt{2}", "1.41421357"),
        (r"\frac{1}{3}", "0.33"),
        (r"\frac{1}{3}", "0.334"),
        ("0.3333", "0.33333"),
        (r"\frac{1}{3}", "0.3330"),
        (r"\sqrt{2}", "1.4140"),
        ("10", r"11\%"),
        (r"\sqrt{2}", "1.41421356x"),
    ],
)
def test_a_policy_accepts_no_other_value(gold, answer):
    verdict = decide(gold, answer, Policy(rounded_decimals=True, bare_percent=True))
    assert verdict is not None and not verdict.correct


def test_the_lenient_comparison_can_be_named_by_a_task():
    module, _, name = LENIENT.partition(":")
    assert (module, name) == (compare_leniently.__module__, compare_leniently.__name__)
    assert compare_leniently(r"\pi", "3.142") == (True, "accepted by policy")
