"""Typographic characters and fonts, written as the plain notation that the scanner reads."""

from __future__ import annotations

import re
import unicodedata

UPRIGHT = "\x01"
r"""Precedes each word that stood in \text or \mathrm: it is a word, never a product of letters."""

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱ", "0123456789+-ni", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋ₙₐₑₖₘᵢⱼ", "0123456789+-naekmij", strict=True))
_SIGNS = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "×": r"\times ", "·": r"\cdot ",
    "⋅": r"\cdot ", "∙": r"\cdot ", "÷": "/", "∕": "/", "⁄": "/", "±": r"\pm ", "∓": r"\mp ",
    "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "⩽": r"\le ", "⩾": r"\ge ", "≠": r"\ne ",
    "≈": r"\approx ", "≡": r"\equiv ",
    "∈": r"\in ", "∪": r"\cup ", "∩": r"\cap ", "∖": r"\setminus ",
    "∅": r"\emptyset ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}",
    "°": r"^\circ ", "′": "'", "、": ",", "。": ".", "∣": "|", "＼": "\\",
    "“": '"', "”": '"', "‘": "'", "’": "'", "⌊": r"\lfloor ", "⌋": r"\rfloor ",
    "⌈": r"\lceil ", "⌉": r"\rceil ", "⟨": r"\langle ", "⟩": r"\rangle ", "…": r"\ldots ",
    "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u3000": " ", "\u200b": "", "\ufeff": "",
    "℃": r"^\circ C", "￥": "¥", "￡": "£",
}  # fmt: skip
_GREEK = {"ϕ": "phi", "ϵ": "epsilon", "ϑ": "theta", "µ": "mu", "ς": "sigma"}
_ROOT = re.compile(r"([√∛∜])\s*(\d+(?:\.\d+)?)?")
_ROOT_INDEX = {"√": "", "∛": "[3]", "∜": "[4]"}
_SCRIPT = re.compile(f"([{''.join(_SUPERSCRIPTS)}]+)|([{''.join(_SUBSCRIPTS)}]+)")
_FONT = re.compile(
    r"\\(?:text(?:rm|bf|it|sf|tt|normal|up)?|math(?:rm|bf|it|sf|tt|normal)|mbox|hbox|operatorname\*?"
    r"|boldsymbol|bm|emph|underline|textnormal)\s*\{((?:[^{}]|\{[^{}]*\})*)\}"
)
_WORD = re.compile(r"(?<![\\\w\x01])[^\W\d_]+|(?<=\d)[^\W\d_]+")
_DEGREE = re.compile(r"\^?\s*\{?\s*\\degrees?(?![A-Za-z])\s*\}?")
_MODULE = re.compile(r"(?<![\w.])(?:np|numpy|math|sp|sympy)\.(?=[A-Za-z])")
_INVISIBLE = re.compile(
    r"\\(?:left|right|middle|[bB]igg?[lr]?|displaystyle|textstyle|limits|nolimits|bf|rm|it"
    r"|boldmath|phantom\{\})(?![A-Za-z])|\\(?:text)?color\s*\{\s*\w+\s*\}"
)


def plain_characters(text: str) -> str:
    r"""Return a text in ASCII notation: `½` as \frac{1}{2}, `x²` as x^{2}, fullwidth as ASCII."""
    if not text.isascii():
        text = _ROOT.sub(_root, text)
        text = _SCRIPT.sub(_script, text)
        text = "".join(_plain(character) for character in text)
    text = _DEGREE.sub(r"^\\circ ", text) if r"\degree" in text else text
    return _MODULE.sub("", _INVISIBLE.sub(" ", text))


def without_fonts(text: str) -> str:
    r"""Return a text with the content of \text, \mathrm and the like marked word by word."""
    before = None
    while text != before:
        before, text = text, _FONT.sub(lambda font: f" {_upright(font[1])} ", text)
    return text


def _upright(content: str) -> str:
    return _WORD.sub(lambda word: UPRIGHT + word[0], content)


def _root(root: re.Match[str]) -> str:
    argument = f"{{{root[2]}}}" if root[2] else " "
    return rf"\sqrt{_ROOT_INDEX[root[1]]}{argument}"


def _script(script: re.Match[str]) -> str:
    sign, letters = ("^", _SUPERSCRIPTS) if script[1] else ("_", _SUBSCRIPTS)
    return f"{sign}{{{''.join(letters[letter] for letter in script[0])}}}"


def _plain(character: str) -> str:
    if character.isascii():
        return character
    if character in _SIGNS:
        return _SIGNS[character]
    if 0xFF01 <= ord(character) <= 0xFF5E:
        return chr(ord(character) - 0xFEE0)
    if character in _GREEK or "\u0391" <= character <= "\u03c9":
        return _greek(character)
    if (vulgar := unicodedata.normalize("NFKC", character)) and "⁄" in vulgar:
        top, _, bottom = vulgar.partition("⁄")
        return rf"\frac{{{top}}}{{{bottom}}}"
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    return character


def _greek(character: str) -> str:
    if character in _GREEK:
        return rf"\{_GREEK[character]} "
    name = unicodedata.name(character, "").rpartition(" LETTER ")[2].lower()
    name = {"lamda": "lambda"}.get(name, name)
    return rf"\{name.capitalize() if character.isupper() else name} " if name.isalpha() else ""
