"""The program in a completion."""

from __future__ import annotations

import re

_FENCE = re.compile(
    # Possessive, so that a long line without an end is read once and not once a letter.
    r"^[ \t]*+```[ \t]*+(\w*+)[^\n]*+\n(.*?)(?:^[ \t]*+```|\Z)",
    re.DOTALL | re.MULTILINE,
)
_PYTHON = ("python", "python3", "py", "")


def source_in(completion: str) -> str | None:
    """Return the last block of Python in a completion, or all of it where it has no block.

    A block is fenced by ``` and may name its language; one that is cut off ends with the text. None
    where there is nothing but space.
    """
    blocks = [source for language, source in _FENCE.findall(completion) if language in _PYTHON]
    source = blocks[-1] if blocks else completion
    return source if source.strip() else None
