"""Races: group-sequential looks at many arms, which train seeds where the question is open."""

from verirank.statistics.races._decide import Look, RaceDecision, RaceDesign, decide
from verirank.statistics.races._forecast import expected_runs

__all__ = ["Look", "RaceDecision", "RaceDesign", "decide", "expected_runs"]
