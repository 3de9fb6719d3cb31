import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verirank.config import VerifierConfig
from verirank.verifier import Verifier
from verirank.verifier._direct import MAX_CHARACTERS, compare_directly


@pytest.fixture(scope="module")
def verifier():
    with Verifier(VerifierConfig()) as verifier:
        yield verifier


def test_at_least_98_percent_of_the_core_cases_get_the_right_verdict(verifier, data_dir):
    cases = Path(data_dir, "verifier", "cases.jsonl")
    rows = [json.loads(line) for line in cases.read_text("utf-8").splitlines()]
    core = [row for row in rows if row["tier"] == "core"]
    rewards = verifier.verify_many([(row["gold"], row["prediction"]) for row in core])
    right = sum(reward.correct == row["equal"] for reward, row in zip(rewards, core, strict=True))
    print(f"{right} of {len(core)} core cases right")
    assert right / len(core) >= 0.98


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        ("x^2+y^2=1", r"\boxed{1-x^2-y^2=0}"),
        (r"\frac{1}{2}", "0.5"),
        (r"\$18.90", "18.9"),
        (r"$3$", r"Adding the two gives $1+2$, so the answer is $\boxed{3}$."),
        ("42", "the result is 42"),
        ("0.06", r"\boxed{0.06 \text{ yuan}}"),
        (r"\frac{1}{k_{\mathrm{B}}}", r"\frac{1}{k_B}"),
        (r"M_{\odot}", r"\boxed{M_{\odot}}"),
        ("5", r"5 \text{ metres}"),
    ],
)
def test_the_same_value_in_another_notation_is_right(verifier, gold, prediction):
    assert verifier.verify(gold, prediction).correct


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        (r"1-\frac{1}{\mathrm{e}}", r"1+\frac{1}{\mathrm{e}}"),
        (r"3\mathrm{e}^2", r"3\mathrm{e}^5"),
        (r"x_{\mathrm{max}}", r"x_{\mathrm{min}}"),
        ("x^2+y^2=1", r"\boxed{x^2+y^2=2}"),
        ("7", "x^2 + 7"),
        ("3", r"5 \text{ or } 3"),
        ("2", r"\boxed{1} or \boxed{2}"),
    ],
)
def test_another_value_in_a_similar_notation_is_wrong(verifier, gold, prediction):
    assert not verifier.verify(gold, prediction).correct


@pytest.mark.parametrize("prediction", [None, "", " \n"])
def test_no_answer_earns_nothing_and_says_so(verifier, prediction):
    reward = verifier.verify("0", prediction)
    assert (reward.value, reward.reason) == (0.0, "no answer")


def test_an_unparsable_gold_is_named_as_the_reason(verifier):
    assert verifier.verify(r"\frac{1}{", "3").reason == "unparsable gold"
    assert verifier.verify("  ", "3").reason == "unparsable gold"


def test_a_prediction_over_the_length_limit_is_wrong_unread(verifier):
    assert verifier.verify("7", "7 " * MAX_CHARACTERS).reason == "too long"


def test_many_pairs_keep_their_order_among_cheap_equal_and_costly_ones(verifier):
    pairs = [(str(i % 7), rf"\frac{{{2 * i}}}{{2}}" if i % 3 else str(i)) for i in range(60)]
    rewards = verifier.verify_many(pairs)
    assert [reward.correct for reward in rewards] == [i < 7 for i in range(60)]


def test_no_pairs_give_no_rewards(verifier):
    assert verifier.verify_many([]) == []


def test_plain_numbers_never_start_a_worker():
    with Verifier(VerifierConfig()) as verifier:
        rewards = verifier.verify_many([("52", "52"), ("52", "53"), ("52", "52.0"), ("52", None)])
        assert [reward.correct for reward in rewards] == [True, False, True, False]
        assert verifier._pool.pids() == []


@given(st.integers(), st.integers())
def test_plain_integers_are_compared_by_value_both_ways(a, b):
    correct, reason = compare_directly(str(a), f" {b}.0 ") or (None, None)
    assert correct == (a == b)
    assert reason == ("numbers equal" if a == b else "numbers differ")


@given(st.text().filter(str.strip))
def test_every_text_equals_itself_without_a_worker(text):
    assert compare_directly(text, text) in {(True, "exact"), (False, "unparsable gold")}
