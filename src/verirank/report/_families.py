"""Which family of methods each arm belongs to, for the page's filter."""

from __future__ import annotations

from verirank.config import InputError, load_plugin
from verirank.report._arms import Arm
from verirank.report.leaderboard import Leaderboard

UNKNOWN = "other"


def families(board: Leaderboard) -> dict[str, str]:
    """Return every arm's family by its label."""
    return {arm.label: _family(arm) for arm in board.arms}


def _family(arm: Arm) -> str:
    """Return what the run recorded; the method itself tells it for runs of an earlier version."""
    recorded = arm.manifests[0].get("family")
    if recorded:
        return str(recorded)
    try:
        return str(load_plugin("method", arm.method).family)
    except InputError:
        # The package that has this method is not installed here.
        return UNKNOWN
