"""No text, as gold or as answer, raises, hangs, or gets a reason that is not documented."""

import time
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verirank.config import VerifierConfig
from verirank.verifier import KINDS, Verifier, decide, kind_of

PIECES = [
    *[
        r"\frac",
        r"\frac{1}{2}",
        r"\dfrac12",
        r"{",
        r"}",
        r"(",
        r")",
        r"[",
        r"]",
        r"\left(",
        r"\right)",
        r"\{",
        r"\}",
        r",",
        r";",
        r":",
        r"=",
        r"<",
        r">",
        r"\le",
        r"\ne",
        r"\in",
        r"\cup",
        r"\setminus",
        r"\emptyset",
        r"\infty",
        r"-",
        r"+",
        r"*",
        r"/",
        r"^",
        r"_",
        r"!",
        r"|",
        r"\sqrt",
        r"\sqrt[3]",
        r"\sqrt{2}",
        r"\pi",
        r"e",
        r"i",
        r"x",
        r"n",
        r"a_1",
        r"\theta",
        r"\sin",
        r"\log_2",
        r"\exp",
        r"\binom{5}{2}",
        r"\choose",
        r"\over",
        r"\pm",
        r"\cdot",
        r"\times",
        r"\text{",
        r"\text{cm}",
        r"\mathrm{",
        r"\textbf{",
        r"\boxed{",
        r"\boxed",
        r"$",
        r"$$",
        r"\(",
        r"\)",
        r"\[",
        r"\]",
        r"\,",
        r"\!",
        r"~",
        r"\begin{pmatrix}",
        r"\end{pmatrix}",
        r"&",
        r"\\",
        r"0",
        r"1",
        r"2",
        r"7",
        r"10",
        r"42",
        r"1,000",
        r"1{,}000",
        r".5",
        r"3.",
        r"1e5",
        r"1e99999",
        r"9^{9^9}",
        r"99999999999999999999",
        r"0.\overline{3}",
        r"%",
        r"\%",
        r"\$",
        r"€",
        r"°",
        r"^\circ",
        r"cm",
        r"km/h",
        r"m/s^2",
        r"hours",
        r"June",
        r"20",
        r"20th",
        r"and",
        r"or",
        r"not",
        r"maybe",
        r"?",
        r"答案",
        r"½",
        r"√",
        r"²",
        r"∞",
        r"−",
        r"π",
        r"≤",
        r"∈",
        r"ℝ",
        r"\mathbb{R}",
        r"\int",
        r"\sum",
        r"\lim",
        r"\to",
        r"f(x)",
        r"'",
        r"''",
        r"\dot{x}",
        r"x=5",
        r"3:45",
        r"PM",
        r"(B)",
        r"A",
        r"<think>",
        r"<answer>",
        r"</answer>",
        r"**",
    ],
    *("\0", "\ud800", "🙂", "\n", " "),
]
PARTS = st.lists(st.sampled_from(PIECES), max_size=12)
TEXTS = (
    st.text(max_size=40)
    | PARTS.map("".join)
    | PARTS.map(" ".join)
    | st.tuples(st.sampled_from(PIECES), st.sampled_from([9, 99, 999])).map(lambda p: p[0] * p[1])
)
REASONS = {
    *("exact", "numbers equal", "numbers differ", "several answers", "different kind", "equal"),
    *("different", "no answer", "too long", "unparsable gold", "unparsable answer", "deadline"),
    *("memory", "crashed", "unverified"),
}


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS)
def test_no_text_raises_or_hangs(gold, prediction):
    start = time.process_time()
    decide(gold, prediction)
    kind_of(gold)
    assert time.process_time() - start < 2


def test_whatever_is_verified_gets_a_reward_with_a_documented_reason():
    random = Random(0)
    texts = ["".join(random.choices(PIECES, k=random.randrange(9))) for _ in range(200)]
    golds = [*(random.choice(texts) for _ in range(150)), *["42"] * 50]
    with Verifier(VerifierConfig(deadline_seconds=0.3)) as verifier:
        rewards = verifier.verify_many(list(zip(golds, texts, strict=True)))
    assert {reward.reason for reward in rewards} <= REASONS
    assert all(reward.rule and reward.seconds < 1.3 for reward in rewards)


@pytest.mark.parametrize("piece", ["½", "ℝ", "π", "(B)", "-", "(", "x^", "1+", r"\sqrt{", "½x"])
def test_a_text_that_would_be_a_deep_tree_is_no_kind_and_raises_nothing(piece):
    for text in (piece * 999 + "1", piece * 200 + "1"):
        assert kind_of(text) in KINDS
        decide(text, "2")
        decide("x+1", text)
