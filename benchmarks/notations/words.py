"""Quantities with units, money, and answers in words: text, choices, dates, times."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from notations.kind import Kind
from notations.numbers import plain

_UNITS = {
    "length": {
        "mm": Fraction(1, 1000),
        "cm": Fraction(1, 100),
        "m": Fraction(1),
        "km": Fraction(1000),
    },
    "time": {
        "seconds": Fraction(1),
        "minutes": Fraction(60),
        "hours": Fraction(3600),
        "days": Fraction(86400),
    },
    "mass": {"g": Fraction(1), "kg": Fraction(1000), "mg": Fraction(1, 1000)},
}
_NAMES = (
    *(
        "Evelyn",
        "Navin",
        "Tuesday",
        "circle",
        "ellipse",
        "hyperbola",
        "even",
        "odd",
        "neither",
        "yes",
        "no",
    ),
    *(
        "parallel",
        "perpendicular",
        "Monday",
        "blue",
        "red",
        "isosceles",
        "right triangle",
        "convex",
    ),
)
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "October")

Quantity = tuple[Fraction, str, str]
"""The number, the unit, and what it measures."""


def _quantity(rng: Random) -> Quantity:
    kind = rng.choice(sorted(_UNITS))
    return (
        Fraction(rng.randrange(2, 400), rng.choice((1, 1, 2, 4))),
        rng.choice(sorted(_UNITS[kind])),
        kind,
    )


def _near_quantity(rng: Random, value: Quantity) -> Quantity:
    number, unit, kind = value
    units = [other for other in sorted(_UNITS[kind]) if other != unit]
    return rng.choice(
        ((number, rng.choice(units), kind), (number + 1, unit, kind), (number * 10, unit, kind))
    )


def _with_unit(number: Fraction, unit: str) -> list[str]:
    text = plain(number)
    return [
        f"{text} {unit}",
        rf"{text}\text{{ {unit}}}",
        rf"{text} \mathrm{{~{unit}}}",
        rf"{text}\ \text{{{unit}}}",
        rf"{text}~\mathrm{{{unit}}}",
    ]


def _quantities(value: Quantity) -> list[str]:
    return _with_unit(value[0], value[1])


def _converted(value: Quantity) -> list[str]:
    number, unit, kind = value
    texts: list[str] = []
    for other, size in _UNITS[kind].items():
        converted = number * _UNITS[kind][unit] / size
        if other != unit and (10**9 * converted).denominator == 1:
            texts += _with_unit(converted, other)
    return texts


def _money(rng: Random) -> Fraction:
    return Fraction(rng.randrange(101, 90_000), 100)


def _sums_of_money(value: Fraction) -> list[str]:
    number = f"{float(value):.2f}"
    return [rf"\${number}", f"{number} dollars", rf"{number} \text{{ dollars}}", rf"\$ {number}"]


def _other_money(value: Fraction) -> list[str]:
    number = f"{float(value):.2f}"
    return [
        f"{number} cents",
        f"€{number}",
        f"£{number}",
        rf"{number} \text{{ cents}}",
        f"{number} euros",
    ]


def _degrees(value: int) -> list[str]:
    return [
        rf"{value}^\circ",
        rf"{value}^{{\circ}}",
        f"{value}°",
        f"{value} degrees",
        rf"{value}\text{{ degrees}}",
    ]


def _texts(value: str) -> list[str]:
    return [
        rf"\text{{{value}}}",
        value,
        rf"\textbf{{{value}}}",
        rf"\mathrm{{{value}}}" if " " not in value else value.title(),
        f"{value}.",
        value.lower(),
        rf"\text{{ {value} }}",
    ]


def _choices(value: str) -> list[str]:
    return [
        rf"\text{{({value})}}",
        f"({value})",
        rf"\textbf{{({value})}}",
        rf"\text{{{value}}}",
        rf"\mathrm{{({value})}}",
        f"{value}.",
    ]


def _other_of(names: tuple[str, ...]):
    def other(rng: Random, value: str) -> str:
        return rng.choice([name for name in names if name != value])

    return other


def _date(rng: Random) -> tuple[str, int]:
    return rng.choice(_MONTHS), rng.randrange(1, 29)


def _near_date(rng: Random, value: tuple[str, int]) -> tuple[str, int]:
    month, day = value
    return rng.choice(((_other_of(_MONTHS)(rng, month), day), (month, day % 28 + 1)))


def _dates(value: tuple[str, int]) -> list[str]:
    month, day = value
    ending = "th" if 10 < day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return [
        f"{month} {day}",
        f"{day} {month}",
        rf"\text{{{month} {day}}}",
        f"{month} {day}{ending}",
        rf"\text{{{day} {month}}}",
    ]


def _time(rng: Random) -> tuple[int, int, str]:
    return rng.randrange(1, 13), rng.randrange(60), rng.choice("ap")


def _times(value: tuple[int, int, str]) -> list[str]:
    clock, half = f"{value[0]}:{value[1]:02d}", value[2]
    texts = [f"{clock} {half}.m.", f"{clock} {half.upper()}M", rf"{clock}\text{{ {half}.m.}}"]
    return [*texts, rf"\text{{{clock} {half.upper()}M}}", f"{clock}{half}m"]


def _near_time(rng: Random, value: tuple[int, int, str]) -> tuple[int, int, str]:
    hour, minute, half = value
    return rng.choice(
        (
            (hour % 12 + 1, minute, half),
            (hour, (minute + 1) % 60, half),
            (hour, minute, "p" if half == "a" else "a"),
        )
    )


WORDS = (
    Kind(
        "quantity",
        _quantity,
        _near_quantity,
        _quantities,
        lambda value: [plain(value[0]), *_converted(value)],
    ),
    Kind(
        "money",
        _money,
        lambda rng, value: value + Fraction(rng.randrange(1, 99), 100),
        _sums_of_money,
        lambda value: [f"{float(value):.2f}"],
        _other_money,
    ),
    Kind(
        "degrees",
        lambda rng: rng.randrange(1, 360),
        lambda rng, value: value + rng.randrange(1, 60),
        _degrees,
        lambda value: [str(value)],
        lambda value: [rf"{value}\%"],
    ),
    Kind("text", lambda rng: rng.choice(_NAMES), _other_of(_NAMES), _texts),
    Kind("choice", lambda rng: rng.choice("ABCDE"), _other_of(tuple("ABCDE")), _choices),
    Kind("date", _date, _near_date, _dates),
    Kind("time", _time, _near_time, _times),
)
