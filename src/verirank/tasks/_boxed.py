r"""Finding the final answer in a text: the last \boxed{...}, or what is called the answer."""

from __future__ import annotations

import re

from verirank.verifier import closing_brace

_BOX = re.compile(r"\\(?:boxed|fbox|framebox)(?![A-Za-z])\s*")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_WHOLE_BOX = re.compile(r"[$\s]*\\(?:boxed|fbox|framebox)\s*\{")
_UNBRACED = re.compile(r"-?\d+(?:\.\d+)?|[A-Za-z]", re.ASCII)
_REST_OF_FORMULA = re.compile(r"([^$\n]{1,200}?)(?:\$|\\\)|\\\])")
_ANSWER = r"(?:answer|答案|ответ|réponse|respuesta|resposta|risposta|antwort)"
_ANSWER_MARK = re.compile(
    rf"{_ANSWER}(?:\s+(?:is|are|would\s+be|will\s+be|equals)\b\s*:?|\**\s*[:：=]|[是为])"
    rf"|^[#*\s]*(?:the\s+)?(?:final\s+)?{_ANSWER}[*\s]*\n"
    r"|^####[ \t]*(?=[-+]?\\?[$€£]?\d[\d.,/]*\s*%?\s*\Z)",
    re.IGNORECASE | re.MULTILINE,
)
_DISPLAYED = re.compile(r"(?:\$\$|\\\[)(.*?)(?:\$\$|\\\])", re.DOTALL)
_NEXT_SENTENCE = re.compile(r"(?<!\b[A-Z])(?<!\b[A-Z][a-z])(?<!\bMrs)[.!]\s+(?=[A-Z])")


def stated_answer(text: str) -> str | None:
    """Return what the last box with contents holds, else what the text calls its answer.

    That is what stands between the last `<answer>` tags, else the line or displayed formula after
    the last "answer is" or "answer:", up to the end of its sentence, or the number after `####` on
    the last line, as GSM8K's solutions end.
    """
    boxed = last_box(text)
    if boxed is not None:
        return boxed
    before, closing, _ = text.rpartition("</answer>")
    if closing and "<answer>" in before:
        return before.rpartition("<answer>")[2].strip() or None
    marks = reversed(list(_ANSWER_MARK.finditer(text)))
    after_marks = (_after_mark(text[mark.end() :]) for mark in marks)
    return next((answer for answer in after_marks if answer), None)


def last_box(text: str) -> str | None:
    r"""Return what stands in the last box that is not empty, if there is one.

    A box is \boxed{...} or \fbox{...} with balanced braces. \boxed without braces holds the rest of
    its formula, or one number or letter where no formula ends on the line.
    """
    boxes = list(_BOX.finditer(text))
    groups = _groups(text) if boxes else {}
    contents = (_contents(text, box.end(), groups) for box in reversed(boxes))
    return next((content for content in contents if content), None)


def whole_box(text: str) -> str | None:
    """Return what a box holds that is the whole of a text, but for dollars and a full stop."""
    opening = _WHOLE_BOX.match(text)
    end = closing_brace(text, opening.end()) if opening else None
    if opening is None or end is None or text[end + 1 :].strip("$. \n"):
        return None
    return text[opening.end() : end].strip()


def _groups(text: str) -> dict[int, int]:
    """Return the closing brace of each opening one, in one pass: a text may open thousands."""
    opened, groups = list[int](), dict[int, int]()
    for brace in _BRACE.finditer(text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}" and opened:
            groups[opened.pop()] = brace.start()
    return groups


def _contents(text: str, start: int, groups: dict[int, int]) -> str:
    if text[start : start + 1] == "{":
        return text[start + 1 : groups.get(start, start + 1)].strip()
    unbraced = _REST_OF_FORMULA.match(text, start)
    if unbraced and r"\boxed" not in unbraced[1]:
        return unbraced[1].strip()
    unbraced = _UNBRACED.match(text, start)
    return unbraced[0] if unbraced else ""


def _after_mark(rest: str) -> str:
    rest = rest.lstrip("* \n")
    if displayed := _DISPLAYED.match(rest):
        return displayed[1].strip()
    line = rest.partition("\n")[0]
    return _NEXT_SENTENCE.split(line, maxsplit=1)[0].rstrip("* .")
