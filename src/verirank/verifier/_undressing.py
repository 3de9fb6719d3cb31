"""What surrounds an answer without being part of it: delimiters, boxes, emphasis, lead-ins."""

from __future__ import annotations

import re

from verirank.verifier._boxes import boxed_only
from verirank.verifier._notation import bare, closing_brace

_PAIRS = (
    ("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("__", "__"),
    ("<answer>", "</answer>"), ("['", "']"), ('["', '"]'), ("```", "```"), ("`", "`"),
    ('"', '"'), ("'", "'"), ("*", "*"), ("_", "_"),
)  # fmt: skip
_BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s*(?=\{)")
_SHORT_BOX = re.compile(r"\\boxed\s+(\S+)")
_ANSWER = (
    r"(?:(?:(?:the\s+)?(?:final\s+|correct\s+)?answer|solution|result)"
    r"(?!(?:\s+(?!(?:is|are)\b)[a-z]+){1,6}\s*(?:\s(?:is|are)\b|:))(?:(?<=answer)\s+is)?"
    r"|答案(?:是|为)?|答え(?:は)?|réponse|respuesta|antwort|ans(?=\s*[.:])\.?)(?!\s*[/^])"
)
"""What leads in "the answer is 42", and neither "the answer range is 42" nor "answer/2 = 42"."""
_LEAD = re.compile(
    r"(?:[^\w\s\\$({\[+-]+\s*)?(?:\\text(?:bf)?\{\s*"
    + _ANSWER
    + r"\s*[:：]?\s*\}\s*:?|(?:\*\*)?"
    + _ANSWER
    + r"\s*(?:\*\*)?\s*[:：]?\s*(?:\*\*)?)\s*",
    re.IGNORECASE,
)
_CONNECTIVE = re.compile(
    r"\A(?=[A-Za-z])(?:(?:therefore|thus|hence|so|consequently|finally)\b\s*,?\s*)?"
    r"(?:we (?:get|have|find|obtain)\b)?\s*,?\s*(?:that\s+)?:?\s*(?=[\d$\\(\[{-]|[a-z]\s*=)",
    re.IGNORECASE,
)
"""What leads in a value or an equation."""
_HEADING = re.compile(r"#{1,6}\s*(?=[^\s#])")
_END_OF_PROOF = re.compile(r"\\(?:blacksquare|qed|square|Box|checkmark)\$?$")
_DISPLAY = re.compile(
    r"\\begin\s*\{(equation|align|aligned|gather|gathered|displaymath|split)\*?\}((?:(?!\\\\|\\begin).)*?)"
    r"(?:\\\\\s*)?\\end\s*\{\1\*?\}",
    re.DOTALL,
)
_CELL = re.compile(r"^\s*\|\s+")
_HASHES = re.compile(r"####\s*(?=[^\s#])")
_HOPE = re.compile(r"\.?\s*I hope (?:it|this) is correct\.?$", re.IGNORECASE)
_QUOTED_LINE = re.compile(r">\s+(?=\*\*[^*]+\*\*$)")
_ESCAPED_TWICE = re.compile(r"\\\\(?=[A-Za-z])")
_LAYERS = 12
_PARTING = re.compile(r"(?<!\S)\*\*|\*\*(?!\S)|\*\*[^*]*[A-Za-z]{3}")
"""An end of emphasis, and no power as in 6*x**2."""


def undressed(text: str) -> str:
    """Return an answer without delimiters, box, emphasis, lead-in and final stop."""
    if r"\begin" not in text:
        text = _ESCAPED_TWICE.sub(r"\\", text)
    text = _DISPLAY.sub(lambda display: display[2].replace("&", ""), text)
    text = _HEADING.sub("", text, count=1) if text[:1] == "#" else text
    text = _HOPE.sub("", _END_OF_PROOF.sub("", text.rstrip()))
    text = _QUOTED_LINE.sub("", text, count=1)
    text = _with_whole_bars(boxed_only(_last_answer(text)))
    text = _CONNECTIVE.sub("", text, count=1)
    for _ in range(_LAYERS):
        before = text
        text = _without_pair(_without_box(bare(text))).removeprefix("=")
        text = _LEAD.sub("", text, count=1) if (lead := _LEAD.match(text)) and lead.end() else text
        if text.endswith((".", "。")) and not text.endswith(".."):
            text = text[:-1]
        if text.endswith("**") and text.count("**") == 1:
            text = text.removesuffix("**")
        if text == before:
            break
    return _without_dollars(text)


def _last_answer(text: str) -> str:
    """Return the last line, where it is led in as the answer, of several."""
    last = text.rstrip().rpartition("\n")[2].strip()
    if "\n" in text and (hashes := _HASHES.match(last)):
        return last[hashes.end() :]
    lead = _LEAD.match(last)
    return last if "\n" in text and lead and lead.end() < len(last) and ":" in lead[0] else text


def _with_whole_bars(text: str) -> str:
    r"""Return a text whose bars were cut where a table's cells were: `| |x|`, \left|x\right."""
    if text.count("|") % 2 == 0:
        return text
    return text.rstrip() + "|" if text.rstrip().endswith(r"\right") else _CELL.sub("", text)


def _without_pair(text: str) -> str:
    for opening, closing in _PAIRS:
        inner = text.removeprefix(opening).removesuffix(closing)
        is_whole = len(text) == len(opening) + len(inner) + len(closing) and inner.strip()
        if is_whole and not _parted(opening, inner):
            return inner
    return text


def _parted(opening: str, inner: str) -> bool:
    """Tell whether a pair's sign stands inside, so that the pair is not around the whole."""
    return _PARTING.search(inner) is not None if opening == "**" else opening in inner


def _without_box(text: str) -> str:
    if short := _SHORT_BOX.fullmatch(text):
        return short[1]
    box = _BOX.match(text)
    if box and closing_brace(text, box.end() + 1) == len(text) - 1:
        return text[box.end() + 1 : -1]
    return text


def _without_dollars(text: str) -> str:
    """Return a text without the dollars that delimit mathematics; a lone one is a currency's."""
    plain = text.replace(r"\$", "")
    if "$" not in plain:
        return text
    if plain.count("$") == 1:
        return text
    if "$$" not in text:
        text = re.sub(r"(?<!\\)\$\s+\$", " , ", text)
    return re.sub(r"(?<!\\)\$", " ", text)
