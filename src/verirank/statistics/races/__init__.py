"""Races: group-sequential looks at many arms, which train seeds where the question is open."""

from verirank.statistics.races._decide import Look, RaceDecision, RaceDesign, decide
from verirank.statistics.races._forecast import expected_runs
from verirank.statistics.races._levels import joint_levels
from verirank.statistics.races._noise import noise_of_unequal_arms

__all__ = [
    "Look",
    "RaceDecision",
    "RaceDesign",
    "decide",
    "expected_runs",
    "joint_levels",
    "noise_of_unequal_arms",
]
