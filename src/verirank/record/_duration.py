"""Seconds in words, as the terminal and the page tell them."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Return seconds as seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
