"""Values with roots and angles that take some algebra, and repeating decimals."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from notations.kind import Kind
from notations.numbers import latex

_SQUARE_FREE = (2, 3, 5, 7, 11, 13)

Surd = tuple[int, int, int, int]
"""(p + q sqrt(r)) / d as p, q, r, d."""


def _surd(rng: Random) -> Surd:
    p, q = (rng.choice((1, -1)) * rng.randrange(1, 20) for _ in range(2))
    return p, q, rng.choice(_SQUARE_FREE), rng.randrange(1, 8)


def _near_surd(rng: Random, value: Surd) -> Surd:
    p, q, r, d = value
    others = ((p + d, q, r, d), (p, -q, r, d), (-p, q, r, d), (p, q, r + 1 if r != 3 else 5, d))
    return rng.choice(others)


def _surds(value: Surd) -> list[str]:
    p, q, r, d = value
    sign, size = "+" if q > 0 else "-", "" if abs(q) == 1 else str(abs(q))
    top = rf"{p}{sign}{size}\sqrt{{{r}}}"
    first = f"-{size}" if q < 0 else size
    turned = rf"{first}\sqrt{{{r}}}{p:+d}"
    texts = [rf"\frac{{{top}}}{{{d}}}", rf"\frac{{{turned}}}{{{d}}}", f"({top})/{d}"]
    texts += [f"({p}{sign}{abs(q)}*sqrt({r}))/{d}", f"({p} {sign} {size}√{r})/{d}"]
    texts += [rf"{latex(Fraction(p, d))}{sign}\frac{{{size}\sqrt{{{r}}}}}{{{d}}}"]
    texts += [
        rf"\frac{{1}}{{{d}}}\left({top}\right)",
        rf"\dfrac{{{2 * p}{sign}{2 * abs(q)}\sqrt{{{r}}}}}{{{2 * d}}}",
    ]
    norm = p * p - q * q * r
    conjugate = rf"{d * p}{'-' if q > 0 else '+'}{d * abs(q)}\sqrt{{{r}}}"
    texts += [rf"\frac{{{norm}}}{{{conjugate}}}"]
    return [*texts, top, turned] if d == 1 else texts


def _complex_surds(value: Surd) -> list[str]:
    p, q, r, d = value
    sign, size = "+" if q > 0 else "-", "" if abs(q) == 1 else str(abs(q))
    texts = [
        rf"\frac{{{p}{sign}{size}i\sqrt{{{r}}}}}{{{d}}}",
        rf"\frac{{{p}{sign}{size}\sqrt{{{r}}}i}}{{{d}}}",
    ]
    texts += [rf"{latex(Fraction(p, d))}{sign}\frac{{{size}\sqrt{{{r}}}}}{{{d}}}i"]
    return [
        *texts,
        rf"\frac{{{p}{sign}\sqrt{{{-q * q * r}}}}}{{{d}}}",
        f"({p}{sign}{abs(q)}*sqrt({r})*i)/{d}",
    ]


_ANGLES = {
    0: "0", 30: r"\frac{1}{2}", 45: r"\frac{\sqrt{2}}{2}", 60: r"\frac{\sqrt{3}}{2}", 90: "1",
    18: r"\frac{\sqrt{5}-1}{4}", 54: r"\frac{1+\sqrt{5}}{4}", 15: r"\frac{\sqrt{6}-\sqrt{2}}{4}",
    75: r"\frac{\sqrt{6}+\sqrt{2}}{4}",
}  # fmt: skip


def _sines(angle: int) -> list[str]:
    turn = Fraction(angle, 180)
    radians = rf"\frac{{{turn.numerator}\pi}}{{{turn.denominator}}}" if angle else "0"
    texts = [_ANGLES[angle], rf"\sin {angle}^\circ", rf"\cos {90 - angle}^\circ"]
    return [*texts, rf"\sin({angle}^{{\circ}})", rf"\sin\left({radians}\right)"]


def _repeating(rng: Random) -> tuple[str, str]:
    """Return the digits before those that repeat, and those."""
    digits = "".join(rng.choice("123456789") for _ in range(rng.randrange(3)))
    return digits, "".join(rng.choice("012345678") for _ in range(rng.randrange(1, 7)))


def _repeats(value: tuple[str, str]) -> list[str]:
    before, cycle = value
    ninths = Fraction(int(cycle), 10 ** len(cycle) - 1) / 10 ** len(before)
    exact = ninths + Fraction(int(before or 0), 10 ** len(before))
    texts = [rf"0.{before}\overline{{{cycle}}}", rf".{before}\overline{{{cycle}}}"]
    texts += [rf"0.{before}{cycle}\overline{{{cycle}}}", rf"0.{before}\bar{{{cycle}}}"]
    return [*texts, latex(exact), str(exact)]


def _near_repeating(rng: Random, value: tuple[str, str]) -> tuple[str, str]:
    before, cycle = value
    return rng.choice(
        ((before + "9", cycle), (before, cycle[:-1] + ("9" if cycle[-1] != "0" else "1")))
    )


def _not_repeating(value: tuple[str, str]) -> list[str]:
    before, cycle = value
    return [f"0.{before}{cycle * 3}", f"0.{before}{cycle}"] if int(cycle) else ["0.12345"]


def _other_angle(rng: Random, angle: int) -> int:
    return rng.choice([other for other in _ANGLES if other != angle])


RADICALS = (
    Kind("surd", _surd, _near_surd, _surds, is_one=True),
    Kind("complex surd", _surd, _near_surd, _complex_surds, is_one=True),
    Kind("sine", lambda rng: rng.choice(sorted(_ANGLES)), _other_angle, _sines, is_one=True),
    Kind("repeating decimal", _repeating, _near_repeating, _repeats, wrong=_not_repeating),
)
