"""What a kind of answer can do, and the pairs that are made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A kind of answer.

    Args:
        name: as failures are counted.
        draw: returns a value, which may be anything.
        other: returns a value that differs from a given one, mostly by little.
        golds: the notations of a value that may be a gold.
        answers: further notations that only an answer may have, such as one without its unit.
        wrong: notations that state something else, or do not commit themselves.
        is_one: whether a value is one number, so that an answer with two is wrong.
    """

    name: str
    draw: Callable[[Random], Any]
    other: Callable[[Random, Any], Any]
    golds: Callable[[Any], list[str]]
    answers: Callable[[Any], list[str]] = lambda value: []
    wrong: Callable[[Any], list[str]] = lambda value: []
    is_one: bool = False


@dataclass(frozen=True)
class Pair:
    """A gold and an answer, which are equal or not."""

    kind: str
    gold: str
    prediction: str
    equal: bool


def equal_pairs(kinds: Sequence[Kind], n: int, seed: int = 0) -> Iterator[Pair]:
    """Yield n pairs of two notations of one value, every kind in turn."""
    rng = Random(f"equal {seed}")
    for place in range(n):
        kind = kinds[place % len(kinds)]
        value = kind.draw(rng)
        golds = kind.golds(value)
        gold = rng.choice(golds)
        others = [text for text in (*golds, *kind.answers(value)) if text != gold]
        yield Pair(kind.name, gold, _dressed(rng, rng.choice(others)), True)


def unequal_pairs(kinds: Sequence[Kind], n: int, seed: int = 0) -> Iterator[Pair]:
    """Yield n pairs of notations of two values, every kind in turn."""
    rng = Random(f"unequal {seed}")
    for place in range(n):
        kind = kinds[place % len(kinds)]
        value = kind.draw(rng)
        other = kind.other(rng, value)
        wrong = kind.wrong(value)
        if kind.is_one:
            wrong = wrong + _undecided(rng.choice(kind.golds(value)), rng.choice(kind.golds(other)))
        if wrong and rng.random() < 0.3:
            prediction = rng.choice(wrong)
        else:
            assert other != value, kind.name
            # Without its unit or base an answer may well state both values.
            right = {*kind.golds(value), *kind.answers(value)}
            texts = [t for t in (*kind.golds(other), *kind.answers(other)) if t not in right]
            prediction = _dressed(rng, rng.choice(texts))
        yield Pair(kind.name, rng.choice(kind.golds(value)), prediction, False)


def _undecided(text: str, other: str) -> list[str]:
    """Return texts that name an answer without stating it alone."""
    return [
        *(f"{text} or {other}", f"{other} = {text}", f"${other}$ ${text}$", f"{text}, {other}"),
        *(rf"{other} \text{{ or }} {text}", f"not {text}", f"{text}?", f"maybe {text}"),
        *(rf"\boxed{{{other}}} or \boxed{{{text}}}", f"either {text} or {other}"),
    ]


def _dressed(rng: Random, text: str) -> str:
    """Return a text, sometimes in delimiters or a box."""
    if "$" in text or rng.random() < 0.6:
        return text
    delimited = (f"${text}$", f"$$ {text} $$", rf"\( {text} \)", rf"\[{text}\]", f" {text} ")
    boxed = (rf"\boxed{{{text}}}", rf"$\boxed{{{text}}}$", f"<answer>{text}</answer>")
    return rng.choice((*delimited, *boxed))
