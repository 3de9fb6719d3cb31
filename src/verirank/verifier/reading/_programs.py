"""Programs' forms, as Python and sympy print values, rewritten as mathematics."""

from __future__ import annotations

import re

_PROGRAM = re.compile(
    r"(?:Rational|Fraction|pow|FiniteSet|Interval|Interval\.\w+|float|(?<!\\)log)\("
)
_FRACTION = re.compile(r"\b(?:Rational|Fraction)\(\s*(-?\d+)\s*,\s*(\d+)\s*\)", re.ASCII)
_POWER = re.compile(r"(?<![\w\\.])pow\(([^(),]+),([^(),]+)\)")
_LOGARITHM = re.compile(r"(?<![A-Za-z\\])log\(\s*([\w.]+)\s*,\s*([\w.]+)\s*\)")
_INFINITY = re.compile(r"(?<![\w.])float\(\s*(['\"])(-?)inf(?:inity)?\1\s*\)")
_INTERVAL = re.compile(r"Interval(?:\.(open|Lopen|Ropen))?\(([^(),]+),([^(),]+)\)")
_FINITE_SET = re.compile(r"FiniteSet\(((?:[^()]|\([^()]*\))*)\)")
_UNION = re.compile(r"Union\((.*)\)", re.DOTALL)
_BETWEEN_SETS = re.compile(r"(?<=[\])}])\s*,\s*")


def from_program(text: str) -> str:
    r"""Return a text with a program's calls as LaTeX: Rational(1, 3) as \frac{1}{3}."""
    if not _PROGRAM.search(text):
        return text
    text = _FRACTION.sub(r"(\\frac{\1}{\2})", text)
    text = _POWER.sub(r"((\1)^{\2})", text)
    text = _LOGARITHM.sub(r"\\log_{\2}(\1)", text)
    text = _INFINITY.sub(r"\2\\infty ", text)
    text = _FINITE_SET.sub(r"\\{\1\\}", _INTERVAL.sub(_interval, text))
    if union := _UNION.fullmatch(text):
        text = _BETWEEN_SETS.sub(r" \\cup ", union[1])
    return text


def _interval(interval: re.Match[str]) -> str:
    kind, low, high = interval[1] or "", interval[2].strip(), interval[3].strip()
    opening = "(" if kind in ("open", "Lopen") or low == "-oo" else "["
    closing = ")" if kind in ("open", "Ropen") or high == "oo" else "]"
    return f"{opening}{low},{high}{closing}"
