"""Irrational values and what is written with variables: expressions, equations, relations."""

from __future__ import annotations

from fractions import Fraction
from math import pi, sqrt
from random import Random

from notations.kind import Kind

_SQUARE_FREE = (2, 3, 5, 6, 7, 10, 11, 13, 15, 19, 21, 30)

Root = tuple[int, int, int]
"""The numerator, the denominator and the radicand of a multiple of a square root."""


def _root(rng: Random) -> Root:
    return (
        rng.choice((1, -1)) * rng.randrange(1, 30),
        rng.randrange(1, 12),
        rng.choice(_SQUARE_FREE),
    )


def _near_root(rng: Random, value: Root) -> Root:
    n, d, radicand = value
    others = [r for r in _SQUARE_FREE if r != radicand]
    return rng.choice(((n + d, d, radicand), (-n, d, radicand), (n, d, rng.choice(others))))


def _roots(value: Root) -> list[str]:
    n, d, r = value
    size, sign = abs(n), "-" if n < 0 else ""
    times = "" if size == 1 else str(size)
    texts = [
        rf"{sign}\frac{{{size}\sqrt{{{r}}}}}{{{d}}}",
        rf"{sign}\frac{{{size}}}{{{d}}}\sqrt{{{r}}}",
    ]
    texts += [rf"{sign}\frac{{{size * r}}}{{{d}\sqrt{{{r}}}}}", f"{sign}{size}*sqrt({r})/{d}"]
    texts += [
        rf"{sign}\sqrt{{\frac{{{size * size * r}}}{{{d * d}}}}}",
        rf"{sign}\frac{{\sqrt{{{size * size * r}}}}}{{{d}}}",
    ]
    texts += [
        rf"{sign}\dfrac{{{times}\sqrt{{{r}}}}}{{{d}}}",
        rf"{sign}({times}\sqrt{{{r}}})/{d}",
        rf"{sign}\frac{{{size} \cdot {r}^{{1/2}}}}{{{d}}}",
    ]
    if d == 1:
        texts += [
            rf"{sign}{times}\sqrt{{{r}}}",
            rf"{sign}{times}√{r}",
            rf"{sign}{times}\sqrt {{{r}}}",
        ]
    return texts


def _near_decimals(value: float) -> list[str]:
    return [f"{value:.{k}f}" for k in (3, 8)]


def _angle(rng: Random) -> Fraction:
    return Fraction(rng.randrange(1, 30), rng.choice((1, 2, 3, 4, 5, 6, 12)))


def _near_rational(rng: Random, value: Fraction) -> Fraction:
    return rng.choice((value + Fraction(1, 7), value * 2, -value, value + Fraction(1, 10**12)))


def _multiples_of_pi(value: Fraction) -> list[str]:
    n, d, sign = abs(value.numerator), value.denominator, "-" if value < 0 else ""
    times = "" if n == 1 else str(n)
    texts = [
        rf"{sign}\frac{{{times}\pi}}{{{d}}}",
        rf"{sign}\frac{{{n}}}{{{d}}}\pi",
        rf"{sign}{times}\pi/{d}",
    ]
    texts += [
        f"{sign}{n}*pi/{d}",
        f"{sign}{times}π/{d}",
        rf"{sign}\frac{{{n} \cdot \pi}}{{{d}}}",
        rf"\theta = {sign}\frac{{{times}\pi}}{{{d}}}",
    ]
    return texts + ([rf"{sign}{times}\pi", rf"{sign}{times} \pi"] if d == 1 else [])


def _transcendental(rng: Random) -> tuple[str, int, int]:
    return rng.choice(("exp", "ln", "log")), rng.randrange(2, 12), rng.randrange(2, 7)


def _near_transcendental(rng: Random, value: tuple[str, int, int]) -> tuple[str, int, int]:
    form, a, b = value
    return rng.choice(
        ((form, a + 1, b), (form, a, b + 1)) if form != "exp" else ((form, a + 1, b),)
    )


def _transcendentals(value: tuple[str, int, int]) -> list[str]:
    form, a, b = value
    match form:
        case "exp":
            return [
                f"e^{{{a}}}",
                rf"\exp({a})",
                f"exp({a})",
                rf"\mathrm{{e}}^{{{a}}}",
                rf"\frac{{1}}{{e^{{-{a}}}}}",
            ]
        case "ln":
            texts = [
                rf"\ln {a**b}",
                rf"\ln({a**b})",
                rf"{b}\ln {a}",
                rf"{b} \ln({a})",
                rf"\log_e {a**b}",
            ]
            return [*texts, f"{b}*ln({a})", rf"\ln({a}^{{{b}}})"]
        case _:
            texts = [rf"\log_{{7}} {a}^{{{b}}}", rf"{b}\log_7 {a}", rf"\log_7({a**b})"]
            return [*texts, rf"\frac{{{b}\ln {a}}}{{\ln 7}}", rf"\frac{{\log({a**b})}}{{\log(7)}}"]


def _is_new(value: tuple[str, int, int], other: tuple[str, int, int]) -> bool:
    return value[1] ** value[2] != other[1] ** other[2]


def _polynomial(rng: Random) -> tuple[int, int, int]:
    return (
        rng.randrange(1, 9),
        rng.choice((1, -1)) * rng.randrange(1, 12),
        rng.choice((1, -1)) * rng.randrange(1, 12),
    )


def _near_polynomial(rng: Random, value: tuple[int, int, int]) -> tuple[int, int, int]:
    a, p, q = value
    others = ((a + 1, p, q), (a, p, q + 1), (a, -p, q), (a, p + 1, q))
    return rng.choice([other for other in others if _expanded(other) != _expanded(value)])


def _expanded(value: tuple[int, int, int]) -> tuple[int, int, int]:
    a, p, q = value
    return a, a * (p + q), a * p * q


def _term(coefficient: int, symbol: str) -> str:
    sign, size = "-" if coefficient < 0 else "+", abs(coefficient)
    return f"{sign}{'' if size == 1 and symbol else size}{symbol}" if coefficient else ""


def _polynomials(value: tuple[int, int, int]) -> list[str]:
    (a, b, c), (_, p, q) = _expanded(value), value
    terms = [_term(a, "x^2"), _term(b, "x"), _term(c, "")]
    first, second = f"(x{p:+d})", f"(x{q:+d})"
    texts = [
        "".join(terms),
        "".join(reversed(terms)),
        f"{a}{first}{second}",
        f"{second}{first}*{a}",
    ]
    texts += [
        f"{a}x^2 + {a * (p + q)}x + {a * p * q}".replace("+ -", "- "),
        f"x({a}x{_term(b, '')}){_term(c, '')}",
    ]
    texts += [
        rf"{a} \cdot {second}{first}",
        rf"{a}\left(x^{{2}}{_term(p + q, 'x')}{_term(p * q, '')}\right)",
    ]
    return [text.removeprefix("+") for text in texts]


def _line(rng: Random) -> tuple[int, int]:
    return rng.choice((1, -1)) * rng.randrange(2, 20), rng.choice((1, -1)) * rng.randrange(1, 20)


def _near_line(rng: Random, value: tuple[int, int]) -> tuple[int, int]:
    m, c = value
    return rng.choice(((m + 1 or 3, c), (m, -c), (-m, c), (m, c + 30)))


def _lines(value: tuple[int, int]) -> list[str]:
    m, c = value
    texts = [
        f"y={m}x{c:+d}",
        f"y = {m}x {'+' if c > 0 else '-'} {abs(c)}",
        f"{m}x-y{c:+d}=0",
        f"y{-m:+d}x={c}",
    ]
    return [*texts, f"{m}x{c:+d}=y", f"2y={2 * m}x{2 * c:+d}", f"0 = {m}x - y {c:+d}"]


def _not_lines(value: tuple[int, int]) -> list[str]:
    m, c = value
    return [
        f"(y-{m}x{-c:+d})^2=0" if m > 0 else f"(y+{-m}x{-c:+d})^2=0",
        f"y>{m}x{c:+d}",
        f"{m}x{c:+d}+1",
        f"x={m}y{c:+d}",
    ]


def _fraction_of_x(rng: Random) -> tuple[int, int, int]:
    return rng.randrange(1, 9), rng.choice((1, -1)) * rng.randrange(1, 12), rng.randrange(2, 9)


def _fractions_of_x(value: tuple[int, int, int]) -> list[str]:
    a, p, d = value
    texts = [
        rf"\frac{{{a}}}{{{d}x{p:+d}}}",
        f"{a}/({d}x{p:+d})",
        rf"\frac{{{2 * a}}}{{{2 * d}x{2 * p:+d}}}",
    ]
    return [
        *texts,
        rf"\frac{{{a}x}}{{{d}x^2{p:+d}x}}",
        rf"\frac{{{-a}}}{{{-p:d}-{d}x}}",
        f"{a}({d}x{p:+d})^{{-1}}",
    ]


def _near_fraction_of_x(rng: Random, value: tuple[int, int, int]) -> tuple[int, int, int]:
    a, p, d = value
    others = ((a + 1, p, d), (a, -p, d), (a, p, d + 1))
    return rng.choice(others)


SYMBOLS = (
    Kind(
        "root", _root, _near_root, _roots, wrong=lambda v: _near_decimals(v[0] / v[1] * sqrt(v[2]))
    ),
    Kind(
        "multiple of pi",
        _angle,
        _near_rational,
        _multiples_of_pi,
        wrong=lambda value: _near_decimals(float(value) * pi),
    ),
    Kind("transcendental", _transcendental, _near_transcendental, _transcendentals, is_one=True),
    Kind("polynomial", _polynomial, _near_polynomial, _polynomials),
    Kind("rational expression", _fraction_of_x, _near_fraction_of_x, _fractions_of_x),
    Kind("line", _line, _near_line, _lines, wrong=_not_lines),
)
