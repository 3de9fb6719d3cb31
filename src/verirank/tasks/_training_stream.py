"""Splits of a list of problems, and the endless stream of its training problems."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple
from functools import lru_cache
from itertools import chain
from random import Random

from verirank.config import InputError
from verirank.tasks._problem import Problem
from verirank.tasks._splits import split_of


def split_problems(problems: Sequence[Problem], source: str) -> dict[str, list[Problem]]:
    """Return the splits `train`, `selection` and `test`.

    Problems are split by a hash of their text, whatever its case and spacing, so that equal ones
    share a split; none is empty.

    Args:
        problems: what is to be split.
        source: what an error names: a file or a data set.

    Raises:
        InputError: there are fewer than three different problems.
    """
    groups: dict[str, list[Problem]] = {}
    for problem in problems:
        groups.setdefault(normalised(problem.text), []).append(problem)
    if len(groups) < 3:
        raise InputError(
            f"{source} holds {len(groups)} different problems; it needs three at least"
        )
    splits: dict[str, list[list[Problem]]] = {"train": [], "selection": [], "test": []}
    for text, group in groups.items():
        splits[split_of(text)].append(group)
    _fill(splits, bench_size=2 if len(groups) >= 6 else 1)
    return {name: [*chain.from_iterable(split)] for name, split in splits.items()}


def stream_problem(problems: Sequence[Problem], seed: int, index: int) -> Problem:
    """Return the index-th problem of a stream that shows all, in a new order every epoch."""
    epoch, offset = divmod(index, len(problems))
    return problems[_order(len(problems), seed, epoch)[offset]]


def bench_problems(split: Sequence[Problem], name: str, n: int) -> list[Problem]:
    """Return at most n problems of a split, in the order that its name draws."""
    return Random(name).sample(split, len(split))[:n]


def digest_of(problems: Sequence[Problem]) -> hashlib._Hash:
    """Return a SHA-256 that has taken in all problems, to which more may be added."""
    digest = hashlib.sha256()
    for problem in problems:
        digest.update(json.dumps(astuple(problem)).encode())
    return digest


def normalised(text: str) -> str:
    """Return a text without its case and the width of its spaces."""
    return " ".join(text.split()).casefold()


def _fill(splits: dict[str, list[list[Problem]]], bench_size: int) -> None:
    """Move problems from the largest split to those too small; an interval needs two problems."""
    for name, split in splits.items():
        while len(split) < (1 if name == "train" else bench_size):
            split.append(max(splits.values(), key=len).pop())


@lru_cache(maxsize=8)
def _order(n: int, seed: int, epoch: int) -> list[int]:
    return Random(f"epoch {seed} {epoch}").sample(range(n), n)
