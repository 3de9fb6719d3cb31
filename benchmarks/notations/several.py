"""Answers that hold several values: intervals, sets, tuples, lists, matrices."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from notations.kind import Kind
from notations.numbers import latex


def _values(rng: Random, least: int = 2, most: int = 4) -> tuple[Fraction, ...]:
    """Return different values."""
    drawn: dict[Fraction, None] = {}
    n = rng.randrange(least, most + 1)
    while len(drawn) < n:
        drawn[Fraction(rng.randrange(-40, 40), rng.choice((1, 1, 1, 2, 3, 4)))] = None
    return tuple(drawn)


def _changed(rng: Random, values: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    """Return values of which one is changed, or one fewer or more."""
    place, way = rng.randrange(len(values)), rng.randrange(3)
    if way == 0 and len(values) > 2:
        return values[:place] + values[place + 1 :]
    if way == 1:
        return (*values, max(values) + 1)
    return (*values[:place], max(values) + Fraction(1, 3), *values[place + 1 :])


def _permuted(rng: Random, values: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    if rng.random() < 0.4:
        return (values[-1], *values[:-1])
    return _changed(rng, values)


def _slashed(value: Fraction) -> str:
    return str(value)


def _written(values: tuple[Fraction, ...], joint: str = ",") -> list[str]:
    texts = [joint.join(map(latex, values)), f"{joint} ".join(map(latex, values))]
    texts += [f"{joint} ".join(map(_slashed, values)), rf"{joint}\ ".join(map(latex, values))]
    return texts


def _tuples(values: tuple[Fraction, ...]) -> list[str]:
    texts = [f"({inner})" for inner in _written(values)]
    return [
        *texts,
        *(rf"\left({inner}\right)" for inner in _written(values)),
        f"(x, y) = ({', '.join(map(latex, values))})" if len(values) == 2 else texts[0],
    ]


def _not_tuples(values: tuple[Fraction, ...]) -> list[str]:
    inner = ", ".join(map(latex, values))
    return [
        rf"\{{{inner}\}}",
        f"[{inner}]" if len(values) == 2 else rf"\{{{inner}\}}",
        latex(sum(values, Fraction(0))),
    ]


def _sets(values: tuple[Fraction, ...]) -> list[str]:
    turned = tuple(reversed(values))
    texts = [rf"\{{{inner}\}}" for order in (values, turned) for inner in _written(order)]
    return [*texts, *(rf"\left\{{{inner}\right\}}" for inner in _written(turned))]


def _not_sets(values: tuple[Fraction, ...]) -> list[str]:
    return [
        f"({', '.join(map(latex, values))})",
        latex(values[0]),
        rf"\{{\{{{latex(values[0])}\}}\}}",
    ]


def _lists(values: tuple[Fraction, ...]) -> list[str]:
    turned = tuple(reversed(values))
    texts = [inner for order in (values, turned) for inner in _written(order)]
    texts += _written(turned, ";")
    texts += [", ".join(f"x={latex(value)}" for value in values)]
    *first, last = map(latex, turned)
    texts += [rf"{', '.join(first)} \text{{ and }} {last}", f"{', '.join(first)} and {last}"]
    return texts


def _list(rng: Random) -> tuple[Fraction, ...]:
    # The order of a list counts unless it is that of its values (docs/verifier.md).
    return tuple(sorted(_values(rng, 2, 5)))


Interval = tuple[Fraction | None, Fraction | None, bool, bool]
"""The ends, None for an infinite one, and whether they belong to it."""


def _interval(rng: Random) -> Interval:
    low, high = sorted(_values(rng, 2, 2))
    closed = rng.random() < 0.5, rng.random() < 0.5
    match rng.randrange(4):
        case 0:
            return None, high, False, closed[1]
        case 1:
            return low, None, closed[0], False
        case _:
            return low, high, *closed


def _near_interval(rng: Random, value: Interval) -> Interval:
    low, high, low_in, high_in = value
    others: list[Interval] = []
    if low is not None:
        others += [(low, high, not low_in, high_in), (low - Fraction(1, 3), high, low_in, high_in)]
    if high is not None:
        others += [(low, high, low_in, not high_in), (low, high + 1, low_in, high_in)]
    return rng.choice(others)


def _intervals(value: Interval) -> list[str]:
    low, high, low_in, high_in = value
    ends = (
        latex(low) if low is not None else r"-\infty",
        latex(high) if high is not None else r"\infty",
    )
    brackets = "[" if low_in else "(", "]" if high_in else ")"
    inner = f"{ends[0]},{ends[1]}"
    texts = [f"{brackets[0]}{inner}{brackets[1]}", rf"\left{brackets[0]}{inner}\right{brackets[1]}"]
    texts += [
        f"{brackets[0]}{ends[0]}, {ends[1]}{brackets[1]}",
        rf"x \in {brackets[0]}{inner}{brackets[1]}",
    ]
    texts += [f"{'[' if low_in else ']'}{inner}{']' if high_in else '['}"]
    less = r"\le" if low_in else "<", r"\le" if high_in else "<"
    if high is None:
        more = r"\ge" if low_in else ">"
        texts += [rf"{brackets[0]}{ends[0]}, +\infty)", f"x {more} {ends[0]}"]
        return [*texts, f"{ends[0]} {less[0]} x"]
    if low is None:
        return [*texts, f"x {less[1]} {ends[1]}", f"x {'≤' if high_in else '<'} {ends[1]}"]
    return [*texts, f"{ends[0]} {less[0]} x {less[1]} {ends[1]}"]


Matrix = tuple[tuple[int, ...], ...]


def _matrix(rng: Random) -> Matrix:
    rows, columns = rng.randrange(2, 4), rng.randrange(2, 4)
    return tuple(tuple(rng.randrange(-9, 10) for _ in range(columns)) for _ in range(rows))


def _near_matrix(rng: Random, value: Matrix) -> Matrix:
    turned = tuple(zip(*value, strict=True))
    if rng.random() < 0.4 and turned != value:
        return turned
    row, column = rng.randrange(len(value)), rng.randrange(len(value[0]))
    changed = [list(each) for each in value]
    changed[row][column] += rng.choice((1, -1, 10))
    return tuple(map(tuple, changed))


def _matrices(value: Matrix) -> list[str]:
    texts = []
    for name in ("pmatrix", "bmatrix", "matrix"):
        for joint in (r" \\ ", "\\\\\n"):
            inner = joint.join(" & ".join(map(str, row)) for row in value)
            texts.append(rf"\begin{{{name}}} {inner} \end{{{name}}}")
    inner = r"\\".join("&".join(map(str, row)) for row in value)
    texts += [
        rf"\left(\begin{{array}}{{{'c' * len(value[0])}}}{inner}\end{{array}}\right)",
        str([list(row) for row in value]),
    ]
    return texts


SEVERAL = (
    Kind("tuple", _values, _permuted, _tuples, wrong=_not_tuples),
    Kind("set", lambda rng: _values(rng, 2, 5), _changed, _sets, wrong=_not_sets),
    Kind(
        "list",
        _list,
        _changed,
        _lists,
        wrong=lambda values: (
            [latex(values[0]), f"{latex(values[0])} or {latex(values[1])}"]
            if len(values) > 2
            else [latex(values[0])]
        ),
    ),
    Kind("interval", _interval, _near_interval, _intervals),
    Kind("matrix", _matrix, _near_matrix, _matrices),
)
