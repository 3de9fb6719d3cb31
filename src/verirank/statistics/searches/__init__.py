"""Learning-rate searches: which rates are surely worse, which one is chosen, and how surely."""

from verirank.statistics.searches._final_scores import FinalScores
from verirank.statistics.searches._surely_worse import surely_worse

__all__ = ["FinalScores", "surely_worse"]
