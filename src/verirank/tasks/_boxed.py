r"""Finding the final answer in a text: the last whole \boxed{...}, or what is called the answer."""

from __future__ import annotations

import re

from verirank.verifier import closing_brace

_BOX = r"\boxed{"
_ANSWER_MARK = re.compile(r"answer(?:\s+is\b\s*:?|\s*:)", re.IGNORECASE)


def stated_answer(text: str) -> str | None:
    """Return what the last whole box holds, else the line after the last "answer is"."""
    boxed = last_box(text)
    return _after_answer_mark(text) if boxed is None else boxed.strip() or None


def last_box(text: str) -> str | None:
    r"""Return what stands in the last \boxed{...} whose braces are balanced, if there is one."""
    start = len(text)
    while (start := text.rfind(_BOX, 0, start)) >= 0:
        inside = start + len(_BOX)
        end = closing_brace(text, inside)
        if end is not None:
            return text[inside:end]
    return None


def _after_answer_mark(text: str) -> str | None:
    """Return the line of text after the last "answer is" or "answer:", without markup."""
    marks = list(_ANSWER_MARK.finditer(text))
    if not marks:
        return None
    rest = text[marks[-1].end() :].lstrip("* \n")
    return rest.partition("\n")[0].rstrip("* .") or None
