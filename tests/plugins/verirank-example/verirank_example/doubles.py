"""A bench: a function that returns its problems, the same ones at every call."""

from __future__ import annotations

from verirank.tasks import Problem


def doubles() -> list[Problem]:
    """Return a+a for every a from 31 to 60, which stand in no split of `sums`."""
    return [Problem(f"{a}+{a}", f"{a}+{a}=", str(a + a)) for a in range(31, 61)]
