r"""How a model is asked to state its answer, and how the answer is read from a completion.

- `boxed`: the last `\boxed{...}`, else the last `<answer>`, else what follows the last "answer is".
- `number`: the last number, as in "so he pays 1,250 dollars" (1250).
- `text`: the whole completion, for answers of a word or a line.
- `free`: no instruction; the whole completion goes to a reward function.
"""

from __future__ import annotations

import re
from typing import Literal

from verirank.tasks._boxed import stated_answer

AnswerFormat = Literal["boxed", "number", "text", "free"]

INSTRUCTIONS: dict[AnswerFormat, str] = {
    "boxed": r"Please reason step by step, and put your final answer within \boxed{}.",
    "number": "Please reason step by step, and end with the final answer as a number.",
    "text": "Reply with the answer alone.",
    "free": "",
}

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+|/\d+)?", re.ASCII)


def read_answer(completion: str, form: AnswerFormat) -> str | None:
    """Return the answer that a completion states in a form, or None where it states none."""
    if form == "boxed":
        return stated_answer(completion)
    if form == "number":
        numbers = _NUMBER.findall(completion)
        return numbers[-1].replace(",", "") if numbers else None
    return completion.strip() or None


def written_answer(form: AnswerFormat) -> str:
    """Return how a solved example writes its answer, with `{}` where it stands."""
    return r"\boxed{{}}" if form == "boxed" else "{}"
