import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verirank.config import VerifierConfig
from verirank.verifier import LENIENT, Verifier, decide
from verirank.verifier._direct import MAX_CHARACTERS
from verirank.verifier._equality import compare


@pytest.fixture(scope="module")
def verifier():
    # Verdicts are tested here, not time: a busy machine must leave no pair unverified.
    with Verifier(VerifierConfig(deadline_seconds=20)) as verifier:
        yield verifier


def cases(data_dir, name):
    """Return the rows of a file of pairs; policies of a task are no part of the core."""
    rows = Path(data_dir, "verifier", name).read_text("utf-8").splitlines()
    return [row for row in map(json.loads, rows) if row.get("tier", "core") == "core"]


def judged(verifier, rows, **options):
    """Return right verdicts and false positives among the rewards of rows."""
    rewards = verifier.verify_many([(row["gold"], row["prediction"]) for row in rows], **options)
    pairs = list(zip(rewards, rows, strict=True))
    right = sum(reward.correct == row["equal"] for reward, row in pairs)
    return right, [row for reward, row in pairs if reward.correct and not row["equal"]]


def test_every_core_case_gets_the_right_verdict(verifier, data_dir):
    rows = cases(data_dir, "cases.jsonl")
    assert judged(verifier, rows) == (len(rows), [])


def test_no_case_takes_more_cpu_than_a_busy_machine_has_for_it(data_dir):
    """A tenth of a deadline's CPU seconds is there on two cores with twenty processes."""
    rows = cases(data_dir, "cases.jsonl") + cases(data_dir, "cases2.jsonl")
    for row in rows:
        taken = []
        for _ in range(2):  # the first may load a parser, or wait for a core that two threads share
            start = time.process_time()
            if decide(row["gold"], row["prediction"]) is None:
                compare(row["gold"], row["prediction"])
            taken.append(time.process_time() - start)
        assert min(taken) < VerifierConfig().deadline_seconds / 5, row


def test_of_the_reported_cases_only_roundings_and_bare_percents_are_refused(verifier, data_dir):
    rows = cases(data_dir, "cases2.jsonl")
    assert judged(verifier, rows) == (len(rows) - 4, [])
    assert judged(verifier, rows, comparison=LENIENT) == (len(rows), [])


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
    verdict = decide(str(a), f" {b}.0 ")
    assert verdict is not None
    assert verdict.correct == (a == b)
    assert verdict.reason == ("numbers equal" if a == b else "numbers differ")


@given(st.text().filter(str.strip))
def test_every_text_equals_itself_without_a_worker(text):
    verdict = decide(text, text)
    assert verdict is not None
    assert (verdict.correct, verdict.reason) in {(True, "exact"), (False, "unparsable gold")}
