"""Answers that stand in boxes inside a longer text."""

from __future__ import annotations

import re

from verirank.verifier._notation import closing_brace
from verirank.verifier.reading import trails, words

_NUMBERS_OF = words("hundred thousand million billion trillion dozen percent % \\%")
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
    r"[\s$]*(?:\\[)\]]\s*)?(?:,\s*\$?[-\d]|\.\d|\.\.|…|,?\s*\\[lcd]?dots|[\s.,!$]*(?:a\s+)?contradiction\b"
    r"|(?:\\text\s*\{)?,?\s*(?:but\s+)?(?:(?:that|this|which|it)\s+)?"
    r"(?:(?:is|was|are|ist|sind|est|es|è)\s+)?(?:an?\s+)?"
    r"(?:not|wrong|incorrect|false|or|squared|cubed|doubled|halved|tripled|less|more|minus|plus|times"
    r"|isn't|wasn't|cannot|can't|at\s+(?:most|least)|fails?|does(?:\s+not|n't)|no\s+wait|wait"
    r"|falsch|faux|falso|sbagliato|errad[oa]|неверн\w*|неправильн\w*|nicht|错误?的?|不[对是])(?![^\W\u3400-\u9fff]))",
    re.IGNORECASE,
)
_CHANGED_IN_OTHER_WORDS = re.compile(
    r"(?:\b(?:nicht|pas|no es|non è|não é|не|höchstens|mindestens|etwa|ungefähr|au (?:moins|plus)"
    r"|environ|al menos|como máximo|aproximadamente|не (?:менее|более)|около|примерно"
    r"|approximately|about|around|roughly|almost|nearly|were|reject"
    r"|(?:doppelte|hälfte|dreifache) (?:von|der)|(?:double|moitié) de"
    r"|(?:doble|mitad) de|(?:удвоенное|половина))"
    r"|不是|并非|不等于|至少|至多|最多|不超过|不少于|大约|约为?"
    r"|[<>≈≠≤≥]|\\(?:cdot|times|div|pm|mp|ln|log|lg|exp|sin|cos|tan|neq?|approx|sim|leq?|geq?|lt|gt))"
    r"[\s:$]*(?:\\[(\[]\s*)?$"
    r"|\b(?:don't|do not|doesn't|does not|can't|cannot) (?:think|believe|mean|say)\b[^.]*$"
    r"|\bsome (?:would|might|may) (?:say|think)\b[^.]*$",
    re.IGNORECASE,
)
_SCALED = re.compile(
    r"[\s$]*(?:\\[)\]]\s*)?(?:\\text\s*\{)?\s*(?P<scale>(?:hundred|thousand|million|billion|trillion"
    r"|dozen|per\s?cent|\\?%|[^\W\d_]+))",
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
        changed = _CHANGED_BEFORE.search(gaps[0]) or _CHANGED_IN_OTHER_WORDS.search(gaps[0])
        if changed or _CHANGED_AFTER.match(text[at:]):
            return text
        if (behind := _SCALED.match(text[at:])) and _scales(behind["scale"]):
            return f"{contents[0]} {behind['scale']}"
        return contents[0] if is_whole else text
    return _joined(contents, [*gaps, text[at:]]) or text


def _scales(word: str) -> bool:
    """Tell whether a word behind a box changes its number: 12 million, 12 percent."""
    return word.lower() in _NUMBERS_OF or trails(word)


def _joined(contents: list[str], gaps: list[str]) -> str:
    _, *between, last = (_DELIMITERS.sub("", gap) for gap in gaps)
    if not _BEFORE.search(gaps[0]) or last.strip(".") or not all(gap in _JOINED for gap in between):
        return ""
    pairs = zip(between, contents[1:], strict=True)
    return contents[0] + "".join(_JOINED[gap] + content for gap, content in pairs)
