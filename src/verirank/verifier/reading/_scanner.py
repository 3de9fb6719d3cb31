"""Notation to tokens: numbers, commands, words, symbols and signs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from verirank.verifier.reading._characters import UPRIGHT, plain_characters, without_fonts
from verirank.verifier.reading._tree import RefusedError

MAX_READ = 1_000
"""A longer text is prose, or hostile: it is not read here."""

_GROUPED = r"[1-9]\d{0,2}(?:(?:,\\! ?|\{,\}|\\[,;:] ?|\\!|\\ |,| |~)\d{3})+(?!\d)(?:\.\d+)?"
_TOKEN = re.compile(
    r"(?P<space>(?:\s|\\[,;:! ]|\\q?quad(?![A-Za-z])|~|\{\})+)"
    r"|(?P<ellipsis>\.{3,}|\\[lc]?dots[cbmio]?(?![A-Za-z]))"
    r"|(?P<repeating>\d*\.\d*\\(?:overline|bar|dot)\s*(?:\{\d+\}|\d)(?:\d*\\dot\s*(?:\{\d\}|\d))?)"
    rf"|(?P<grouped>{_GROUPED})"
    r"|(?P<number>(?:\d+\.\d+|\d+|\.\d+)(?:[eE][+-]?\d{1,4}(?![\w.]))?)"
    r"|(?P<environment>\\(?:begin|end)\s*\{\w+\*?\}(?:\s*\{[clr|\s]*\}|\s*\[[clr|\s]*\])?)"
    r"|(?P<blackboard>\\mathbb\s*\{?\s*[A-Z]\s*\}?|\\mathcal\s*\{\s*[A-Z]\s*\})"
    r"|(?P<row>\\\\|\\cr(?![A-Za-z]))"
    r"|(?P<command>\\[A-Za-z]+|\\[{}$%|&#])"
    rf"|(?P<word>{UPRIGHT}?[^\W\d_]+)"
    r"|(?P<sign>\*\*|<=|>=|==|!=|->|['+\-*/^!(){}\[\]|,;:=<>_%&.?\"€£¥₹¢$])"
)
_SEPARATOR = re.compile(r",\\! ?|\{,\}|\\[,;:] ?|\\!|\\ |,| |~")
_OTHER_GROUPS = re.compile(
    r"(?<![\w.'}])[1-9]\d{0,2}(?:(?:'\d{3})+|(?:_\d{3}){2,})(?![\w'\"^])", re.ASCII
)
"""Groups of digits in Switzerland, and in programs."""
_OHM = re.compile(rf"(?<=\d)(?:\s|\\[,;: ]|~)*(?:{UPRIGHT}?([kM])\s*)?\\Omega\s*(?=$|[,.;)}}])")
_PERMILLE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:‰|\\textperthousand)")
_AMBIGUOUS = re.compile(r"\d{1,3}(?:,[1-9]\d\d)+")
_LONE_GROUP = re.compile(r"(?<=[(\[{])(\s*)(\d{1,3}(?:,\d{3})+)(?=\s*(?:\)|\]|\\?\}))")
_VECTOR = (
    r"\\(?:vec|overrightarrow|mathbf|boldsymbol|bm|textbf|hat|widehat|pmb)\s*"
    r"(?:\{\s*\\?[A-Za-z]+\s*\}|[A-Za-z](?![A-Za-z])|\\[A-Za-z]+)(?:_(?:\w|\{[^{}]*\}))?"
)
_CROSS_PRODUCT = re.compile(
    rf"(?:{_VECTOR}|\))\s*(?:\\times(?![a-z])|×)\s*{_VECTOR}"
    rf"|{_VECTOR}\s*(?:\\times(?![a-z])|×)\s*(?:\\left\s*)?\("
)
_POINT = re.compile(r"\(([^()|]*\d)\s*\|\s*([-\d][^()|]*)\)")
"""The point (3|-1), as German schools write it."""
_DOLLARS = re.compile(r"(?<![A-Za-z])US(?=\s*\\?\$)")
_CYCLE = re.compile(r"(?<![\w.])(\d+\.)\((\d+)\)(?![\d(])", re.ASCII)
_POINT_BEFORE_OPERATOR = re.compile(r"(?<=\d)\.(?=[/*])", re.ASCII)
_SPELT_TIMES = re.compile(r"(?<=\d)\s*[xX]\s*(?=10\s*(?:\^|\*\*))", re.ASCII)
_ALIASES = {
    r"\dfrac": r"\frac", r"\tfrac": r"\frac", r"\cfrac": r"\frac",
    r"\nicefrac": r"\frac", r"\sfrac": r"\frac", r"\dbinom": r"\binom",
    r"\tbinom": r"\binom", r"\cdot": "*", r"\times": "*", r"\ast": "*", r"\div": "/",
    r"\leq": r"\le", r"\leqslant": r"\le", "<=": r"\le", r"\geq": r"\ge", r"\geqslant": r"\ge",
    ">=": r"\ge", r"\neq": r"\ne", "!=": r"\ne", r"\lt": "<", r"\gt": ">", "==": "=",
    r"\varnothing": r"\emptyset", r"\backslash": r"\setminus", r"\smallsetminus": r"\setminus",
    r"\bigcup": r"\cup", r"\bigcap": r"\cap",
    r"\lbrace": r"\{", r"\rbrace": r"\}", r"\lvert": "|", r"\rvert": "|", r"\vert": "|",
    r"\mid": "|", r"\lbrack": "[", r"\rbrack": "]", r"\%": "%",
    r"\colon": ":", r"\prime": "'", r"\varphi": r"\phi", r"\varepsilon": r"\epsilon",
    r"\simeq": r"\approx", r"\cosec": r"\csc", r"\tg": r"\tan", r"\ctg": r"\cot",
    r"\arctg": r"\arctan", r"\R": r"\mathbbR", r"\Z": r"\mathbbZ", r"\N": r"\mathbbN",
    r"\pounds": "£", r"\yen": "¥", r"\euro": "€", r"\$": "$", "**": "^",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind, its text, and whether a space stood before it."""

    kind: str
    text: str
    spaced: bool = False


def tokens(text: str, *, digit_groups: bool = True) -> list[Token] | None:
    r"""Return the tokens of a text, or None where a sign occurs that none of them has.

    Args:
        text: in LaTeX, plain or Unicode notation.
        digit_groups: whether `100,200` is one number (else two); `1,000` always is, and the only
            content of a pair of brackets, as in `(100,200)`, never is.
    """
    if len(text) > MAX_READ:
        return None
    if _CROSS_PRODUCT.search(text):
        raise RefusedError("a cross product, which is no product of numbers")
    text = without_fonts(plain_characters(_PERMILLE.sub(r"(\\frac{\1}{1000})", text)))
    text = _OHM.sub(rf" {UPRIGHT}\1ohm ", text) if r"\Omega" in text else text
    text = _OTHER_GROUPS.sub(lambda group: re.sub(r"\D", "", group[0]), text)
    text = _POINT.sub(r"(\1, \2)", text) if text.count("|") == 1 else text
    text = _POINT_BEFORE_OPERATOR.sub("", _DOLLARS.sub("", text))
    text = _CYCLE.sub(r"\1\\overline{\2}", _SPELT_TIMES.sub(r"\\times ", text))
    text = _LONE_GROUP.sub(lambda group: group[1] + group[2].replace(",", ", "), text)
    if not digit_groups:
        text = _AMBIGUOUS.sub(lambda group: group[0].replace(",", ", "), text)
    scanned: list[Token] = []
    at, spaced = 0, False
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        at = match.end()
        if match.lastgroup == "space":
            spaced = True
        elif token := _token(match, spaced):
            scanned.append(token)
            spaced = False
    return scanned


def has_ambiguous_groups(text: str) -> bool:
    """Tell whether a text has commas that may part digits of a number, or numbers of a list."""
    return _AMBIGUOUS.search(text) is not None


def _token(match: re.Match[str], spaced: bool) -> Token | None:
    kind, text = str(match.lastgroup), match[0]
    if kind == "grouped":
        kind, text = "number", _SEPARATOR.sub("", text)
    elif kind == "ellipsis":
        kind, text = "command", r"\ldots"
    elif kind == "environment":
        kind, text = "sign", re.sub(r"\s|(?<=\})[{\[].*", "", text)
    elif kind in ("command", "sign", "blackboard"):
        text = _ALIASES.get(text, re.sub(r"[\s{}]", "", text) if kind == "blackboard" else text)
        kind = "command" if kind == "blackboard" else kind
    return Token(kind, text, spaced) if text else None
