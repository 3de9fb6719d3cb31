"""Model output made safe to display; it is untrusted text."""

from __future__ import annotations


def readable(text: str) -> str:
    """Return a text without characters that act instead of being seen.

    Control characters, which a terminal would obey, and those that turn the direction of writing
    around become U+FFFD; line ends and tabs stay.
    """
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def excerpt(text: str, most: int) -> str:
    """Return a readable text of about `most` characters: its beginning and its end.

    The end is where an answer stands. What is left out in between is counted.
    """
    if len(text) <= most:
        return readable(text)
    head, tail = text[: most * 2 // 3], text[-(most // 3) :]
    left_out = len(text) - len(head) - len(tail)
    return f"{readable(head)} […{left_out:,} characters…] {readable(tail)}"
