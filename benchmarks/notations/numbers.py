"""Exact numbers: integers, rationals, percentages, bases, complex, irrational, very small ones."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from random import Random

from notations.kind import Kind


def _integer(rng: Random) -> int:
    return rng.choice((1, -1)) * rng.randrange(10 ** rng.randrange(1, 10))


def _near_integer(rng: Random, value: int) -> int:
    changed = (value + 1, value - 1, -value, value * 10, value + 10**6, 2 * value + 1)
    return rng.choice([other for other in changed if other != value])


def integers(value: int) -> list[str]:
    """Return the notations of an integer."""
    digits, sign = str(abs(value)), "-" if value < 0 else ""
    texts = [f"{value}", f"{value}.0", f"x = {value}", rf"\text{{{value}}}", f"**{value}**"]
    texts += [rf"\frac{{{3 * value}}}{{3}}", f"{sign}{{{digits}}}", rf"\,{value}\,", f"{value}."]
    texts += [sign + digits.translate({48 + n: 0xFF10 + n for n in range(10)})]
    if value < 0:
        texts += [f"−{digits}", f"–{digits}"]
    if len(digits) > 3:
        texts += [f"{value:,}".replace(",", mark) for mark in (",", "{,}", r"\,", r",\!")]
    return texts


def hedges(value: int) -> list[str]:
    """Return texts that name an integer without stating it."""
    other = value + 1
    return [
        *(f"{other} = {value}", f"x = {other} = {value}", f"${other}$ ${value}$"),
        *(f"{value} or maybe {other}", f"I think {other}, you say {value}", f"{value}, {other}"),
        *(
            f"definitely not {value}",
            f"{value}?",
            f"{value} or {other}",
            f"either {value} or {other}",
        ),
        *(rf"{value} \text{{ or }} {other}", rf"\boxed{{{other}}} or \boxed{{{value}}}"),
        *(f"|x| = {abs(value) or 1}", f"x > {value}", f"x^2 + {value}", rf"x \ne {value}"),
        *(rf"{value}\%" if value else "1%", f"({value}, {value})", rf"\{{{value}, {other}\}}"),
        *(f"[{value}, {value + 2}]", rf"{value} \pm 1", f"{value}!" if 2 < value < 99 else "9!!"),
    ]


def _rational(rng: Random) -> Fraction:
    while True:
        value = Fraction(
            rng.randrange(-999, 999), rng.choice((2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 75, 97))
        )
        if value.denominator > 1:
            return value


def _near_rational(rng: Random, value: Fraction) -> Fraction:
    tiny = Fraction(1, 10 ** rng.randrange(1, 40))
    changed = (value + tiny, value - tiny, -value, 1 / value, value * 10)
    return rng.choice([other for other in changed if other != value])


def rationals(value: Fraction) -> list[str]:
    """Return the notations of a rational number that is no integer."""
    n, d, sign = abs(value.numerator), value.denominator, "-" if value < 0 else ""
    texts = [rf"{sign}\frac{{{n}}}{{{d}}}", rf"{sign}\dfrac{{{n}}}{{{d}}}", f"{sign}{n}/{d}"]
    texts += [rf"\frac{{{sign}{n}}}{{{d}}}", rf"{sign}\tfrac{{{2 * n}}}{{{2 * d}}}"]
    texts += [f"{sign}{n} / {d}", rf"y = {sign}\frac{{{n}}}{{{d}}}", f"({sign}{n})/{d}"]
    texts += [rf"{sign}{n} \cdot \frac{{1}}{{{d}}}", rf"{sign}{{{n}}} \over {{{d}}}"]
    if n < 10 and d < 10:
        texts += [rf"{sign}\frac{n}{d}", rf"{sign}\frac {n} {d}"]
    if n > d > 1:
        whole, rest = divmod(n, d)
        texts += [rf"{sign}{whole}\frac{{{rest}}}{{{d}}}"] + (
            [f"{whole} {rest}/{d}"] if not sign else []
        )
    return texts + _decimals(value)


def _decimals(value: Fraction) -> list[str]:
    digits = next((k for k in range(1, 60) if (value * 10**k).denominator == 1), None)
    sign = "-" if value < 0 else ""
    if digits is None:
        if value.denominator in (3, 9):
            whole, ninths = divmod(abs(value), 1)
            return [rf"{sign}{whole}.\overline{{{int(9 * ninths)}}}"]
        return []
    scaled = str(int(abs(value) * 10**digits)).rjust(digits + 1, "0")
    plain = f"{sign}{scaled[:-digits]}.{scaled[-digits:]}"
    texts = [plain, f"{plain}0", rf"{plain} \text{{ units}}"]
    return texts + ([plain.replace("0.", ".", 1)] if scaled[:-digits] == "0" else [])


def _rounded(value: Fraction) -> list[str]:
    """Return decimals that are near a rational and not equal to it."""
    texts = [f"{float(value):.{k}f}" for k in (3, 6, 9)]
    return [text for text in texts if Fraction(text) != value]


def _percent(rng: Random) -> Fraction:
    return Fraction(rng.randrange(1, 2000), rng.choice((1, 2, 4, 5, 10)))


def _percents(value: Fraction) -> list[str]:
    number = plain(value)
    return [
        rf"{number}\%",
        f"{number}%",
        f"{number} percent",
        rf"{number} \%",
        rf"{number}\text{{ percent}}",
    ]


def plain(value: Fraction) -> str:
    """Return a value with a finite decimal expansion in digits."""
    return str(value) if value.denominator == 1 else _decimals(value)[0]


def _in_base(rng: Random) -> tuple[int, int]:
    return rng.randrange(20, 99_999), rng.randrange(2, 10)


def _digits(value: tuple[int, int]) -> str:
    number, base = value
    digits = ""
    while number:
        number, digit = divmod(number, base)
        digits = f"{digit}{digits}"
    return digits


def _bases(value: tuple[int, int]) -> list[str]:
    digits, base = _digits(value), value[1]
    name = ["two", "three", "four", "five", "six", "seven", "eight", "nine"][base - 2]
    return [
        f"{digits}_{base}",
        f"{digits}_{{{base}}}",
        f"({digits})_{base}",
        rf"{digits}_{{\text{{{name}}}}}",
    ]


def _near_base(rng: Random, value: tuple[int, int]) -> tuple[int, int]:
    return rng.choice(((value[0] + 1, value[1]), (value[0] + value[1], value[1])))


def _other_bases(value: tuple[int, int]) -> list[str]:
    return [
        f"{_digits(value)}_{value[1] + 1}",
        f"{_digits(value)}_{{{value[1] + 2}}}",
        f"{value[0]}_{{11}}",
    ]


def _complex(rng: Random) -> tuple[Fraction, Fraction]:
    def part() -> Fraction:
        return Fraction(rng.choice((1, -1)) * rng.randrange(1, 40), rng.choice((1, 1, 1, 2, 4, 5)))

    return part(), part()


def _near_complex(rng: Random, value: tuple[Fraction, Fraction]) -> tuple[Fraction, Fraction]:
    real, imaginary = value
    tiny = Fraction(1, 10 ** rng.randrange(1, 30))
    return rng.choice(((real, -imaginary), (real + tiny, imaginary), (real, imaginary - tiny)))


def _complexes(value: tuple[Fraction, Fraction]) -> list[str]:
    real, imaginary = value
    size = "" if abs(imaginary) == 1 else latex(abs(imaginary))
    plain = latex(real)
    sign = "+" if imaginary > 0 else "-"
    minus = "-" if imaginary < 0 else ""
    texts = [
        f"{plain}{sign}{size}i",
        f"{plain} {sign} {size}i",
        f"{minus}{size}i{'+' if real > 0 else ''}{plain}",
    ]
    texts += [
        rf"{plain}{sign}{size}\,i",
        rf"{plain}{sign}{size}\mathrm{{i}}",
        f"{plain}{sign}i{size}" if size else f"{plain}{sign}i",
    ]
    texts += [rf"\left({plain}{sign}{size}i\right)", f"z = {plain}{sign}{size}i"]
    return texts


def latex(value: Fraction) -> str:
    """Return an integer in digits, another value as a fraction."""
    if value.denominator == 1:
        return str(value.numerator)
    return rf"{'-' if value < 0 else ''}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def _extreme(rng: Random) -> tuple[str, int, int]:
    return (
        rng.choice(("factorial", "powers", "near one", "ten", "binomial")),
        rng.randrange(5, 150),
        rng.randrange(3, 60),
    )


def _near_extreme(rng: Random, value: tuple[str, int, int]) -> tuple[str, int, int]:
    form, a, b = value
    if form == "binomial":
        return form, a + 1, b
    return rng.choice(((form, a + 1, b), (form, a + 2, b)))


def _extremes(value: tuple[str, int, int]) -> list[str]:
    form, a, b = value
    match form:
        case "factorial":
            texts = [
                rf"\frac{{1}}{{{a}!}}",
                f"1/{a}!",
                rf"\frac{{{a + 1}}}{{{a + 1}!}}",
                rf"\dfrac{{1}}{{({a})!}}",
            ]
        case "powers":
            texts = [
                rf"\frac{{5^{{{a}}}}}{{6^{{{b}}}}}",
                f"5^{{{a}}}/6^{{{b}}}",
                rf"5^{{{a}}} \cdot 6^{{-{b}}}",
            ]
            texts += [rf"\frac{{5 \cdot 5^{{{a - 1}}}}}{{6^{{{b}}}}}"]
        case "near one":
            texts = [
                rf"1-\frac{{1}}{{2^{{{a}}}}}",
                f"1 - 2^{{-{a}}}",
                rf"\frac{{2^{{{a}}}-1}}{{2^{{{a}}}}}",
            ]
        case "ten":
            texts = [
                f"10^{{-{a}}}",
                rf"1 \cdot 10^{{-{a}}}",
                rf"10 \times 10^{{-{a + 1}}}",
                rf"\frac{{1}}{{10^{{{a}}}}}",
                f"1e-{a}",
            ]
        case _:
            texts = [
                rf"\binom{{{a + b}}}{{{b}}}",
                rf"\binom{{{a + b}}}{{{a}}}",
                rf"{{{a + b} \choose {b}}}",
                str(comb(a + b, b)),
            ]
    return texts


NUMBERS = (
    Kind("integer", _integer, _near_integer, integers, wrong=hedges),
    Kind("rational", _rational, _near_rational, rationals, wrong=_rounded, is_one=True),
    Kind(
        "percent",
        _percent,
        lambda rng, value: value + Fraction(rng.randrange(1, 9), 10),
        _percents,
        lambda value: [plain(value), plain(value / 100)],
    ),
    Kind("base", _in_base, _near_base, _bases, lambda value: [_digits(value)], _other_bases),
    Kind("complex", _complex, _near_complex, _complexes, is_one=True),
    Kind("extreme", _extreme, _near_extreme, _extremes, is_one=True),
)
