r"""Pairs of answers by the kind of their gold, in text files of `gold ||| answer` lines."""

import time
from pathlib import Path

import pytest

from verirank.verifier import decide, kind_of
from verirank.verifier._equality import compare

HERE = Path(__file__).parent


def pairs(name: str) -> list[tuple[str, str, str]]:
    """Return kind, gold and answer of every line of a file."""
    kind, rows = "", []
    for line in (HERE / name).read_text("utf-8").splitlines():
        if line.startswith("# "):
            kind = line.removeprefix("# ")
        elif line:
            gold, _, answer = line.partition(" ||| ")
            rows.append((kind, gold, answer))
    return rows


@pytest.mark.parametrize(("kind", "gold", "answer"), pairs("equal_pairs.txt"))
def test_an_answer_in_another_notation_is_right_by_its_golds_kind(kind, gold, answer):
    verdict = decide(gold, answer)
    if kind == "left to math-verify":
        assert verdict is None and compare(gold, answer)[0]
    else:
        assert verdict is not None and verdict.correct, verdict
        assert kind_of(gold) == kind


@pytest.mark.parametrize(("kind", "gold", "answer"), pairs("unequal_pairs.txt"))
def test_another_answer_in_a_similar_notation_is_wrong(kind, gold, answer):
    verdict = decide(gold, answer)
    if kind == "left to math-verify":
        assert verdict is None and not compare(gold, answer)[0]
    else:
        assert verdict is not None and not verdict.correct, verdict
        assert kind_of(gold) == kind


@pytest.mark.parametrize(
    "answer",
    [
        "9^{9^{9^9}}",
        "(" * 400 + "1" + ")" * 400,
        "5000!" + "*5000!" * 100,
        "+".join(f"\\frac{{1}}{{{n}!}}" for n in range(900, 970)),
        "+".join(f"\\sqrt{{{n}}}" for n in range(2, 90)),
        "+".join(f"\\sin {n}^\\circ" for n in range(1, 60)),
        "(1+i)^{999}" * 30,
        "+".join(f"x_{n}^{{{n}}}" for n in range(70)),
        "\\{" + ",".join(f"\\sqrt{{{n}}}" for n in range(2, 60)) + "\\}",
        "1,234," * 160,
        "e^{e^{e^{e^9}}}",
        "|" * 500,
        "x^" * 300,
        "\\frac" * 150 + "1",
        "\\text{" * 100 + "a" + "}" * 100,
        "**" * 400,
        "$" * 900,
        " " * 20_000,
        "\\boxed{" * 2_800,
        "\\boxed{a}" * 2_000,
        "\\text{" * 3_000,
        "$x$ or " * 2_500,
        "not 10 it's " * 1_600,
        "(" * 20_000,
        "answer " * 2_800,
    ],
)
@pytest.mark.parametrize("gold", ["7", r"\sqrt2+\sqrt3", "x^2+1", r"\{1, \sqrt{2}, \sqrt{3}\}"])
def test_no_answer_keeps_the_caller_busy(gold, answer):
    start = time.process_time()
    decide(gold, answer)
    assert time.process_time() - start < 0.5
