"""Answers that stand in boxes inside a longer text."""

from __future__ import annotations

import re

from verirank.verifier._notation import closing_brace

_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_DELIMITERS = re.compile(r"\$|\\[()\[\]]|\\q?quad(?![a-z])|\\[,;: ]|~|[{}]|\\text|\s")
_JOINED = {"or": " or ", "and": " and ", ",": ", ", ";": "; ", ",and": " and ", ",or": " or "}
_BEFORE = re.compile(r"(?:^|[A-Za-z.:,;=!?)\u0080-\uffff]|\*\*)[\s$]*(?:\\[(\[]\s*)?$")
_AFTER = re.compile(
    r"\s*(?:$|[.,;:$}]|\\[)\]]|\s+(?:[A-Za-z]{2}|\\(?:text|p?mod|q?quad)|[\u0080-\uffff]))"
)
_CHANGED_BEFORE = re.compile(
    r"(?:\b(?:not|cannot|never|than|at least|at most|up to|twice|half|double|except|minus|negative)"
    r"|n't|\b(?:half|negative|opposite|reciprocal|inverse|root|square|cube|multiple|power) of)"
    r"(?:\s+(?:be|the|a|an))?[\s:$]*(?:\\[(\[]\s*)?$",
    re.IGNORECASE,
)
_CHANGED_AFTER = re.compile(
    r"[\s$]*(?:\\[)\]]\s*)?(?:,\s*\$?[-\d]|(?:\\text\s*\{)?\s*"
    r"(?:(?:is|was|are)\s+)?(?:not|wrong|incorrect|false|or|squared|cubed|doubled|halved|tripled"
    r"|less|more|minus|plus|times|isn't|wasn't|cannot)\b)",
    re.IGNORECASE,
)


def boxed_only(text: str) -> str:
    r"""Return what the only box of a text holds, or several boxes that are joined to one answer.

    `-\boxed{5}`, `\boxed{2}^2` and `not \boxed{5}` stay as they are: the box is no whole value.
    """
    contents, gaps, at = [], [], 0
    while box := _BOX.search(text, at):
        end = closing_brace(text, box.end())
        if end is None:
            return text
        gaps.append(text[at : box.start()])
        contents.append(text[box.end() : end])
        at = end + 1
    if not contents:
        return text
    if len(contents) == 1:
        is_whole = _BEFORE.search(gaps[0]) and _AFTER.match(text[at:])
        if _CHANGED_BEFORE.search(gaps[0]) or _CHANGED_AFTER.match(text[at:]):
            return text
        return contents[0] if is_whole else text
    return _joined(contents, [*gaps, text[at:]]) or text


def _joined(contents: list[str], gaps: list[str]) -> str:
    _, *between, last = (_DELIMITERS.sub("", gap) for gap in gaps)
    if not _BEFORE.search(gaps[0]) or last.strip(".") or not all(gap in _JOINED for gap in between):
        return ""
    pairs = zip(between, contents[1:], strict=True)
    return contents[0] + "".join(_JOINED[gap] + content for gap, content in pairs)
