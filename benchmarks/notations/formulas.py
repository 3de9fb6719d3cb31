"""Formulas in several variables, powers with variables, circles, ratios, regions."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from notations.kind import Kind
from notations.numbers import latex

Three = tuple[int, int, int]


def _three(rng: Random) -> Three:
    a, b = (rng.choice((1, -1)) * rng.randrange(2, 12) for _ in range(2))
    return a, b, rng.randrange(2, 9)


def _near_three(rng: Random, value: Three) -> Three:
    a, b, c = value
    return rng.choice(((a + 1 or 3, b, c), (a, -b, c), (a, b, c + 1)))


def _means(value: Three) -> list[str]:
    a, b, c = value
    texts = [rf"\frac{{{a}a{b:+d}b}}{{{c}}}", rf"\frac{{{b}b{a:+d}a}}{{{c}}}", f"({a}a{b:+d}b)/{c}"]
    texts += [rf"\frac{{1}}{{{c}}}({a}a{b:+d}b)", rf"\frac{{{2 * a}a{2 * b:+d}b}}{{{2 * c}}}"]
    slope = latex(Fraction(b, c))
    return [*texts, rf"{latex(Fraction(a, c))}a{'' if b < 0 else '+'}{slope}b"]


def _powers(value: Three) -> list[str]:
    a, b, c = value
    sign, size = "-" if a < 0 else "", abs(a)
    texts = [rf"{sign}{size} \cdot {c}^{{n{b:+d}}}", rf"{sign}{size}({c})^{{n{b:+d}}}"]
    texts += [
        rf"{sign}{size} \cdot {c}^{{{b}+n}}",
        rf"{sign}{size * c} \cdot {c}^{{n{b - 1:+d}}}" if b != 1 else texts[0],
    ]
    return [*texts, rf"{sign}\frac{{{size} \cdot {c}^{{n}}}}{{{c}^{{{-b}}}}}"]


def _roots_of_symbols(value: Three) -> list[str]:
    a, b, c = value
    sign, size = "-" if a < 0 else "", abs(a)
    power = Fraction(abs(b), c)
    exponent = f"{power.numerator}/{power.denominator}"
    texts = [
        rf"{sign}{size}x^{{{exponent}}}",
        rf"{sign}{size}x^{{\frac{{{power.numerator}}}{{{power.denominator}}}}}",
    ]
    texts += [rf"{sign}{size}\sqrt[{c}]{{x^{{{abs(b)}}}}}", f"{sign}{size}*x^({exponent})"]
    return [*texts, f"{sign}{size}*x**({exponent})"]


def _same_root(value: Three) -> tuple[int, Fraction]:
    return value[0], Fraction(abs(value[1]), value[2])


def _near_root_of_symbol(rng: Random, value: Three) -> Three:
    while _same_root(other := _near_three(rng, value)) == _same_root(value):
        pass
    return other


def _circles(value: Three) -> list[str]:
    a, b, r = value
    square = r * r - a * a - b * b
    texts = [f"(x{-a:+d})^2+(y{-b:+d})^2={r * r}", f"(x {-a:+d})^2 + (y {-b:+d})^2 = {r}^2"]
    texts += [
        f"x^2+y^2{-2 * a:+d}x{-2 * b:+d}y={square}",
        f"x^2{-2 * a:+d}x+y^2{-2 * b:+d}y{-square:+d}=0",
    ]
    return [
        *texts,
        f"(y{-b:+d})^{{2}}={r * r}-(x{-a:+d})^{{2}}",
        f"2x^2+2y^2{-4 * a:+d}x{-4 * b:+d}y={2 * square}",
    ]


def _near_circle(rng: Random, value: Three) -> Three:
    a, b, r = value
    return rng.choice(((-a, b, r), (a, b + 1, r), (a, b, r + 1)))


def _ratio(rng: Random) -> tuple[int, int]:
    while True:
        a, b = rng.randrange(1, 30), rng.randrange(1, 30)
        if a != b and Fraction(a, b).numerator == a:
            return a, b


def _ratios(value: tuple[int, int]) -> list[str]:
    a, b = value
    return [
        f"{a}:{b}",
        f"{a} : {b}",
        f"{3 * a}:{3 * b}",
        rf"{a} \colon {b}",
        f"{a} to {b}",
        rf"{a}\text{{ to }}{b}",
    ]


def _near_ratio(rng: Random, value: tuple[int, int]) -> tuple[int, int]:
    a, b = value
    return rng.choice(((b, a), (a + b, b), (a, a + b)))


Regions = tuple[int, int, int, int]
"""Four ends in rising order: an interval before another."""


def _regions(rng: Random) -> Regions:
    a, b, c, d = sorted(rng.sample(range(-20, 20), 4))
    return a, b, c, d


def _unions(value: Regions) -> list[str]:
    a, b, c, d = value
    first, second = f"[{a},{b})", f"({c},{d}]"
    texts = [rf"{first}\cup{second}", rf"{second} \cup {first}", rf"x \in {first} \cup {second}"]
    return [*texts, rf"\left[{a},{b}\right) \cup \left({c},{d}\right]", f"{first} ∪ {second}"]


def _rays(value: Regions) -> list[str]:
    a, b = value[0], value[3]
    texts = [
        rf"(-\infty,{a})\cup({b},\infty)",
        rf"({b},\infty) \cup (-\infty, {a})",
        rf"x < {a} \text{{ or }} x > {b}",
    ]
    return [
        *texts,
        rf"x<{a}, x>{b}",
        rf"(-\infty,{a})\cup({b},+\infty)",
        rf"\mathbb{{R}} \setminus [{a},{b}]",
    ]


def _near_regions(rng: Random, value: Regions) -> Regions:
    a, b, c, d = value
    return rng.choice(((a - 1, b, c, d), (a, b, c, d + 2), (a - 3, b, c, d + 1)))


def _holes(value: Regions) -> list[str]:
    hole = value[0]
    texts = [rf"\mathbb{{R}} \setminus \{{{hole}\}}", rf"x \ne {hole}", rf"x \neq {hole}"]
    return [
        *texts,
        rf"(-\infty,{hole})\cup({hole},\infty)",
        rf"\mathbb{{R}} \backslash \{{{hole}\}}",
    ]


def _near_hole(rng: Random, value: Regions) -> Regions:
    return (value[0] - rng.randrange(1, 9), *value[1:])


FORMULAS = (
    Kind("mean", _three, _near_three, _means),
    Kind("power of a symbol", _three, _near_three, _powers),
    Kind("root of a symbol", _three, _near_root_of_symbol, _roots_of_symbols),
    Kind("circle", _three, _near_circle, _circles),
    Kind("ratio", _ratio, _near_ratio, _ratios),
    Kind("union", _regions, _near_regions, _unions),
    Kind("two rays", _regions, _near_regions, _rays),
    Kind("all but one", _regions, _near_hole, _holes),
)
