"""Units: what a number is a number of, with the factor to the base unit of its dimension."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from operator import mul


@dataclass(frozen=True, slots=True)
class Unit:
    """A product of powers of base units, with a factor; no dimensions at all is a plain number."""

    factor: Fraction = Fraction(1)
    dimensions: frozenset[tuple[str, int]] = frozenset()
    also: tuple[Unit, ...] = ()
    """What else it may be: pounds are weight or money."""

    @property
    def readings(self) -> tuple[Unit, ...]:
        """The units that it may be."""
        return (Unit(self.factor, self.dimensions), *self.also)

    def __mul__(self, other: Unit) -> Unit:
        first, *more = [_product(a, b) for a in self.readings for b in other.readings]
        return Unit(first.factor, first.dimensions, tuple(more))

    def __pow__(self, power: int) -> Unit:
        first, *more = [
            Unit(unit.factor**power, frozenset((n, p * power) for n, p in unit.dimensions))
            for unit in self.readings
        ]
        return Unit(first.factor, first.dimensions, tuple(more))


def _product(a: Unit, b: Unit) -> Unit:
    powers = dict(a.dimensions)
    for name, power in b.dimensions:
        powers[name] = powers.get(name, 0) + power
    return Unit(a.factor * b.factor, frozenset((n, p) for n, p in powers.items() if p))


def in_common(a: Unit, b: Unit) -> list[tuple[Unit, Unit]]:
    """Return the readings of two units that convert into each other."""
    pairs = [(x, y) for x in a.readings for y in b.readings]
    return [(x, y) for x, y in pairs if x.dimensions == y.dimensions]


NONE = Unit()
"""A plain number; the word `units` says no more."""

_SIZES: dict[str, dict[str, str]] = {
    "metre": {"mm": "1/1000", "cm": "1/100", "dm": "1/10", "m": "1", "km": "1000",
              "nm": "1/1000000000", "Å": "1/10000000000", "\u212b": "1/10000000000",
              "angstrom": "1/10000000000", "ångström": "1/10000000000",
              "millimeter": "1/1000", "centimeter": "1/100", "meter": "1", "kilometer": "1000",
              "millimetre": "1/1000", "centimetre": "1/100", "metre": "1", "kilometre": "1000",
              "in": "127/5000", "inch": "127/5000", "ft": "381/1250", "foot": "381/1250",
              "feet": "381/1250", "yd": "1143/1250", "yard": "1143/1250", "mi": "201168/125",
              "mile": "201168/125", "furlong": "25146/125", "fathom": "1143/625"},
    "second": {"ms": "1/1000", "s": "1", "sec": "1", "second": "1", "min": "60", "minute": "60",
               "h": "3600", "hr": "3600", "hour": "3600", "day": "86400", "week": "604800"},
    "year": {"year": "1", "yr": "1", "month": "1/12", "century": "100", "decade": "10"},
    "gram": {"mg": "1/1000", "g": "1", "gram": "1", "kg": "1000", "kilogram": "1000",
             "tonne": "1000000", "lb": "45359237/100000", "oz": "45359237/1600000"},
    "litre": {"ml": "1/1000", "mL": "1/1000", "cl": "1/100", "l": "1", "L": "1", "liter": "1",
              "litre": "1", "milliliter": "1/1000"},
    "dollar": {"dollar": "1", "cent": "1/100", "USD": "1", "buck": "1", "$": "1", "¢": "1/100"},
    "euro": {"euro": "1", "€": "1", "EUR": "1"},
    "sterling": {"£": "1", "GBP": "1", "pence": "1/100"},
    "yen": {"yen": "1", "¥": "1", "JPY": "1"}, "yuan": {"yuan": "1", "元": "1", "RMB": "1"},
    "rupee": {"rupee": "1", "₹": "1", "Rs": "1", "INR": "1"},
    "kelvin": {"K": "1", "kelvin": "1"},
    "radian": {"rad": "1", "radian": "1"},
    "ampere": {"A": "1", "mA": "1/1000", "amp": "1", "ampere": "1"},
    "hertz": {"Hz": "1", "kHz": "1000", "MHz": "1000000", "GHz": "1000000000"},
    "mole": {"mol": "1", "mole": "1"},
    "ev": {"eV": "1", "keV": "1000", "MeV": "1000000"},
}  # fmt: skip
_DERIVED: dict[str, tuple[dict[str, str], tuple[tuple[str, int], ...]]] = {
    "newton": ({"N": "1", "newton": "1", "kN": "1000", "dyn": "1/100000", "dyne": "1/100000"},
               (("kg", 1), ("m", 1), ("s", -2))),
    "joule": ({"J": "1", "joule": "1", "mJ": "1/1000", "kJ": "1000", "MJ": "1000000",
               "Wh": "3600", "kWh": "3600000", "erg": "1/10000000"}, (("N", 1), ("m", 1))),
    "watt": ({"W": "1", "watt": "1", "mW": "1/1000", "kW": "1000", "kilowatt": "1000",
              "MW": "1000000"}, (("J", 1), ("s", -1))),
    "pascal": ({"Pa": "1", "pascal": "1", "kPa": "1000", "MPa": "1000000"},
               (("N", 1), ("m", -2))),
    "coulomb": ({"C": "1", "coulomb": "1"}, (("A", 1), ("s", 1))),
    "volt": ({"V": "1", "volt": "1"}, (("W", 1), ("A", -1))),
    "ohm": ({"ohm": "1", "kohm": "1000", "Mohm": "1000000"}, (("V", 1), ("A", -1))),
}  # fmt: skip
"""Units that are products of powers of others."""
_MANY_UNITS = {
    "pound": ("lb", "£"), "ton": ("tonne", "2000 lb"), "ounce": ("oz", "1/128 gallon"),
    "penny": ("cent", "pence"),
}  # fmt: skip
"""Words for several units, each perhaps so many of another."""
_AREAS_AND_VOLUMES = {
    "acre": ("43560", "ft", 2), "hectare": ("10000", "m", 2), "ha": ("10000", "m", 2),
    "cc": ("1", "cm", 3),
    "gallon": ("231", "in", 3), "gal": ("231", "in", 3), "quart": ("231/4", "in", 3),
    "qt": ("231/4", "in", 3), "pint": ("231/8", "in", 3), "cup": ("231/16", "in", 3),
    "tablespoon": ("231/256", "in", 3), "tbsp": ("231/256", "in", 3),
    "teaspoon": ("231/768", "in", 3), "tsp": ("231/768", "in", 3),
}  # fmt: skip
"""Units that are so many of a power of another."""
_LITRE = Unit(Fraction(1, 1000), frozenset({("metre", 3)}))
_PRODUCTS = {"mph": ("mile", "hour"), "kph": ("km", "hour"), "kmh": ("km", "hour")}
SCALES = {"tens": 10, "dozen": 12, "gross": 144, "hundred": 100,
          "thousand": 10**3, "million": 10**6, "billion": 10**9,
          "trillion": 10**12, "hundreds": 100, "thousands": 10**3, "millions": 10**6,
          "billions": 10**9, "万": 10**4, "亿": 10**8,
          "Tausend": 10**3, "Million": 10**6, "Millionen": 10**6, "Milliarden": 10**9,
          "mille": 10**3, "milliards": 10**9, "millones": 10**6, "milhões": 10**6,
          "milioni": 10**6, "miliardi": 10**9, "тысяч": 10**3, "тысячи": 10**3, "млн": 10**6,
          "миллиона": 10**6, "миллионов": 10**6, "млрд": 10**9,
          "миллиардов": 10**9}  # fmt: skip
"""Words that multiply the number before them."""

CURRENCIES = "$€£¥₹¢"
CURRENCY_CODES = ("USD", "EUR", "GBP", "JPY", "RMB", "INR", "Rs")
_MEGA = ("Ml", "Mm", "Mg", "Ms")
"""Not the millionth of a millionth part of what they are."""
_PLURALS = (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("sses", "ss"), ("xes", "x"), ("s", ""))
_IRREGULAR = {"people": "person", "men": "man", "women": "woman", "children": "child",
              "feet": "foot", "inches": "inch", "mice": "mouse"}  # fmt: skip


_UNITS = {
    name: Unit(Fraction(size), frozenset({(base, 1)})) if base != "litre"
    else Unit(Fraction(size) * _LITRE.factor, _LITRE.dimensions)
    for base, sizes in _SIZES.items()
    for name, size in sizes.items()
}  # fmt: skip
for _sizes, _powers in _DERIVED.values():
    _of = reduce(mul, (_UNITS[_name] ** _power for _name, _power in _powers))
    _UNITS |= {_name: Unit(Fraction(_size)) * _of for _name, _size in _sizes.items()}
_UNITS |= {
    name: Unit(Fraction(size)) * _UNITS[of] ** power
    for name, (size, of, power) in _AREAS_AND_VOLUMES.items()
}


def _sized(text: str) -> Unit:
    size, _, name = text.rpartition(" ")
    return Unit(Fraction(size or 1)) * _UNITS[name]


for _word, (_first, _second) in _MANY_UNITS.items():
    _UNITS[_word] = Unit(_sized(_first).factor, _sized(_first).dimensions, (_sized(_second),))

FLUID_OUNCE = _sized("1/128 gallon")
"""What an ounce of a liquid may be."""


def unit_named(word: str) -> Unit | None:
    """Return the unit that a word or sign names, or None where it is none that is known."""
    if word.lower() in ("unit", "units"):
        return NONE
    if word in _PRODUCTS:
        top, bottom = (_UNITS[name] for name in _PRODUCTS[word])
        return top * bottom**-1
    small = () if word in _MEGA else (word.lower(), singular(word.lower()))
    for name in (word, singular(word), *small):
        if name in _UNITS and (len(name) > 1 or name == word):
            return _UNITS[name]
    return None


def counted(noun: str) -> Unit:
    """Return the unit of things that are counted, such as apples, whatever the number of them."""
    return Unit(Fraction(1), frozenset({(f"number of {singular(noun.lower())}", 1)}))


def singular(word: str) -> str:
    """Return a noun's singular by the plain rules of English."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    for ending, replacement in _PLURALS:
        if len(word) > len(ending) + 1 and word.endswith(ending):
            return word.removesuffix(ending) + replacement
    return word
