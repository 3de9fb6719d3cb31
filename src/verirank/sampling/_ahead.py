"""How far ahead problems are requested of an algorithm that leaves some groups out."""

from __future__ import annotations

from functools import lru_cache

from scipy.stats import nbinom

_LIKELY = 0.9


@lru_cache(maxsize=4096)
def problems_needed(missing: int, kept: float) -> int:
    """Return how many problems yield so many kept groups with a chance of 90 %.

    Args:
        missing: groups, at least one.
        kept: the fraction of groups that are kept, above 0.
    """
    return missing if kept >= 1 else missing + int(nbinom.ppf(_LIKELY, missing, kept))
