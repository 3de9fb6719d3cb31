"""Runs grouped into arms: one method with its settings, trained on several seeds."""

from verirank.ranking.arms._arm_labels import arm_labels
from verirank.ranking.arms._arm_runs import AVERAGE, ArmRuns, FailedAs, Stage
from verirank.ranking.arms._sort_runs import NotScored, sort_runs, with_runs_to_come

__all__ = [
    "AVERAGE",
    "ArmRuns",
    "FailedAs",
    "NotScored",
    "Stage",
    "arm_labels",
    "sort_runs",
    "with_runs_to_come",
]
