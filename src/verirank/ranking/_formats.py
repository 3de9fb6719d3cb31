"""Numbers as a reader sees them, the same on the page and in the terminal."""

from __future__ import annotations

from collections.abc import Sequence


def percent(fraction: float) -> str:
    """Return a fraction of 1 in percent with one decimal."""
    return f"{100 * fraction:.1f}"


def chance(probability: float) -> str:
    """Return a chance in percent with one decimal, but never as 0.0 or 100.0 %."""
    if not 0.0005 <= probability <= 0.9995:
        return "under 0.1 %" if probability < 0.5 else "over 99.9 %"
    return f"{percent(probability)} %"


def points(difference: float) -> str:
    """Return a difference in percentage points with its sign."""
    return f"{100 * difference:+.1f}".replace("-", "\N{MINUS SIGN}")


def count(number: int) -> str:
    """Return a count with three significant digits and k, M or B."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            scaled = number / size
            return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f} {letter}"
    return str(number)


def memory(amount: int) -> str:
    """Return bytes in MB or GB."""
    return f"{amount / 1e9:.2f} GB" if amount >= 1e9 else f"{amount / 1e6:.0f} MB"


def digits(number: float | None) -> str:
    """Return a number with three significant digits, empty where there is none."""
    if number is None:
        return ""
    if number == 0:
        return "0"
    if abs(number) >= 1000 or abs(number) < 0.001:
        text = f"{number:.1e}".replace("e-0", "e-").replace("e+0", "e")
    else:
        text = f"{number:.3g}"
    return text.replace("-", "\N{MINUS SIGN}")


def listed(names: Sequence[str], most: int | None = None) -> str:
    """Return names as an English list, with no more than the first few where `most` says so."""
    if most is not None and len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
