r"""Finding the final answer in a text: the last whole \boxed{...}, or what is called the answer."""

from __future__ import annotations

import re

_BOX = r"\boxed{"
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_ANSWER_MARK = re.compile(r"answer(?:\s+is\b\s*:?|\s*:)", re.IGNORECASE)


def stated_answer(text: str) -> str | None:
    """Return what the last whole box holds, else the line after the last "answer is"."""
    boxed = last_box(text)
    return _after_answer_mark(text) if boxed is None else boxed.strip() or None


def last_box(text: str) -> str | None:
    r"""Return what stands in the last \boxed{...} whose braces are balanced, if there is one."""
    start = len(text)
    while (start := text.rfind(_BOX, 0, start)) >= 0:
        content = _balanced(text, start + len(_BOX))
        if content is not None:
            return content
    return None


def _after_answer_mark(text: str) -> str | None:
    """Return the line of text after the last "answer is" or "answer:", without markup."""
    marks = list(_ANSWER_MARK.finditer(text))
    if not marks:
        return None
    rest = text[marks[-1].end() :].lstrip("* \n")
    return rest.partition("\n")[0].rstrip("* .") or None


def _balanced(text: str, start: int) -> str | None:
    """Return the text up to the brace that closes a group opened before `start`."""
    depth = 1
    for token in _BRACES.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth == 0:
            return text[start : token.start()]
    return None
