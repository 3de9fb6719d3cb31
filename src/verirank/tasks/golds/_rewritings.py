r"""Other ways to write an answer that leave its value as it is.

Each function gives one notation of an answer, or None where the answer has nothing to rewrite.
They are meant for judging a verifier, so each changes only what every reader would call notation:
an answer is never evaluated, and a unit is added only to a plain number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_INTEGER = re.compile(r"-?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)
_SCIENTIFIC = re.compile(r"([+-]?\d+\.?\d*)e([+-]?)0*(\d+)", re.ASCII)
_PLAIN_FRACTION = re.compile(r"(-?)\\d?frac\s*\{(\d+)\}\s*\{(\d+)\}", re.ASCII)
_SHORT_FRACTION = re.compile(r"\\frac ?([0-9])(?: ?([0-9])(?![0-9])|(?=\{))", re.ASCII)
_SLASH = re.compile(r"(?<![\w.}^)])(\d+)/(\d+)(?![\w.{(^])", re.ASCII)
_FRACTION = re.compile(r"\\d?frac(?![A-Za-z])")
_OPERATOR = re.compile(r"(?<=[\w)}])\s*([+=])\s*(?=[\w(\\])", re.ASCII)
_DEGREES = re.compile(r"\^\s*\{?\\circ\}?$|\\text\s*\{\s*degrees\s*\}$")
_WORDS = re.compile(r"\\text\s*\{\s*(\(?[A-Za-z]+\)?)\s*\}")
_SMALL_ROOT = re.compile(r"\\sqrt ?(\d)(?!\d)", re.ASCII)
_BRACKET = re.compile(r"\\(?:left|right)(?![A-Za-z])\s*")


def rewritings(answer: str) -> Iterator[tuple[str, str]]:
    """Yield the name of each rewriting that applies to an answer, with the rewritten answer."""
    for name, rewrite in _REWRITINGS.items():
        other = rewrite(answer)
        if other is not None and other != answer:
            yield name, other


def _large_fractions(answer: str) -> str | None:
    return _FRACTION.sub(r"\\dfrac", answer) if _FRACTION.search(answer) else None


def _small_fractions(answer: str) -> str | None:
    return _FRACTION.sub(r"\\tfrac", answer) if _FRACTION.search(answer) else None


def _slash(answer: str) -> str | None:
    match = _PLAIN_FRACTION.fullmatch(answer)
    return f"{match[1]}{match[2]}/{match[3]}" if match else None


def _fraction(answer: str) -> str | None:
    rewritten = _SLASH.sub(r"\\frac{\1}{\2}", answer)
    return rewritten if rewritten != answer else None


def _braces_in_fractions(answer: str) -> str | None:
    def braced(match: re.Match[str]) -> str:
        return rf"\frac{{{match[1]}}}" + (f"{{{match[2]}}}" if match[2] else "")

    return _SHORT_FRACTION.sub(braced, answer)


def _spaced_operators(answer: str) -> str | None:
    # Not where 4.5e+33 would be torn apart.
    return None if _SCIENTIFIC.fullmatch(answer) else _OPERATOR.sub(r" \1 ", answer)


def _unit(answer: str) -> str | None:
    return rf"{answer} \text{{ cm}}" if _NUMBER.fullmatch(answer) else None


def _square_unit(answer: str) -> str | None:
    return rf"{answer}\ \mathrm{{cm}}^2" if _NUMBER.fullmatch(answer) else None


def _without_degrees(answer: str) -> str | None:
    return _DEGREES.sub("", answer).strip()


def _degrees_in_words(answer: str) -> str | None:
    bare = _DEGREES.sub("", answer).strip()
    return rf"{bare} \text{{ degrees}}" if bare != answer else None


def _decimal_point(answer: str) -> str | None:
    return f"{answer}.0" if _INTEGER.fullmatch(answer) else None


def _leading_zero(answer: str) -> str | None:
    return f"0{answer}" if answer.startswith(".") and _NUMBER.fullmatch(answer) else None


def _thousands(comma: str) -> Callable[[str], str | None]:
    def separated(answer: str) -> str | None:
        plain = answer.replace(r",\!", "").replace(r"\!", "").replace(" ", "")
        if not _INTEGER.fullmatch(plain) or abs(int(plain)) < 1000:
            return None
        return f"{int(plain):,}".replace(",", comma)

    return separated


def _power_of_ten(times: str) -> Callable[[str], str | None]:
    def power(answer: str) -> str | None:
        match = _SCIENTIFIC.fullmatch(answer)
        return rf"{match[1]} {times} 10^{{{match[2]}{match[3]}}}" if match else None

    return power


def _automatic_brackets(answer: str) -> str | None:
    if "\\left" in answer or not re.fullmatch(r"[(\[][^()\[\]]*[)\]]", answer):
        return None
    return rf"\left{answer[:-1]}\right{answer[-1]}"


def _plain_brackets(answer: str) -> str | None:
    return _BRACKET.sub("", answer)


def _bare_words(answer: str) -> str | None:
    match = _WORDS.fullmatch(answer)
    return match[1] if match else None


def _named_value(answer: str) -> str | None:
    is_value = _NUMBER.fullmatch(answer) or _PLAIN_FRACTION.fullmatch(answer)
    return f"x = {answer}" if is_value else None


def _without_currency(answer: str) -> str | None:
    return answer.removeprefix(r"\$")


def _braces_under_roots(answer: str) -> str | None:
    return _SMALL_ROOT.sub(r"\\sqrt{\1}", answer)


_REWRITINGS: dict[str, Callable[[str], str | None]] = {
    "in dollars": lambda answer: f"${answer}$",
    "in double dollars": lambda answer: f"$$ {answer} $$",
    "in round delimiters": lambda answer: rf"\( {answer} \)",
    "in square delimiters": lambda answer: rf"\[ {answer} \]",
    "in a second box": lambda answer: rf"\boxed{{{answer}}}",
    "in bold": lambda answer: f"**{answer}**",
    "in display style": lambda answer: rf"\displaystyle {answer}",
    "with a full stop": lambda answer: f"{answer}.",
    "thin spaces around": lambda answer: rf"\, {answer} \,",
    "braces around": lambda answer: f"{{{answer}}}",
    "spaces around + and =": _spaced_operators,
    "dfrac": _large_fractions,
    "tfrac": _small_fractions,
    "frac to a/b": _slash,
    "a/b to frac": _fraction,
    "braces in frac": _braces_in_fractions,
    "braces under a root": _braces_under_roots,
    "decimal point": _decimal_point,
    "leading zero": _leading_zero,
    "thousands comma": _thousands(","),
    "thousands comma in braces": _thousands("{,}"),
    "power of ten with times": _power_of_ten(r"\times"),
    "power of ten with cdot": _power_of_ten(r"\cdot"),
    "unit in text": _unit,
    "square unit": _square_unit,
    "degrees left out": _without_degrees,
    "degrees in words": _degrees_in_words,
    "currency left out": _without_currency,
    "automatic brackets": _automatic_brackets,
    "plain brackets": _plain_brackets,
    "words without text": _bare_words,
    "x = value": _named_value,
}
