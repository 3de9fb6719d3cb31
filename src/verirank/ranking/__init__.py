"""Turns runs into numbers: arms, scores, comparisons, verdicts, a recommendation."""

from verirank.ranking._aggregates import AcrossBenches, BenchScores, across_benches, bench_scores
from verirank.ranking._audit import ArmAudit, RunAudit, audit_arms, audit_runs
from verirank.ranking._bench_tests import BenchTests
from verirank.ranking._comparisons import comparisons
from verirank.ranking._costs import arm_costs, waited_fraction
from verirank.ranking._curves import REWARD_WINDOW, ArmCurve, reward_curves, selection_curves
from verirank.ranking._differences import (
    REFERENCES,
    Difference,
    difference_rows,
    differences,
    summary_rows,
)
from verirank.ranking._fates import RunFate
from verirank.ranking._formats import chance, count, digits, listed, memory, percent, points
from verirank.ranking._frontier import pareto_frontier
from verirank.ranking._geometry import MEASURES, GeometryReport, group_means, read_geometry
from verirank.ranking._leaderboard import Leaderboard, build_leaderboard
from verirank.ranking._provenance import mixture, provenance
from verirank.ranking._published import PUBLISHED_BENCHES, PublishedScore, published_scores
from verirank.ranking._recommend import NothingToRecommendError, Recommendation, recommend
from verirank.ranking._row import Row
from verirank.ranking._searches import Searches, read_searches
from verirank.ranking._verdicts import Judgement, Verdicts, judge
from verirank.ranking._views import Views, at_equal_parameters, at_equal_time
from verirank.ranking.arms import ArmRuns, arm_labels
from verirank.ranking.races import Race, RaceArm, read_races
from verirank.ranking.retention import Retained, measure_retained, write_retained
from verirank.ranking.variants import (
    Confounds,
    Controls,
    Effect,
    Explained,
    measure_confounds,
    measure_controls,
    read_confounds,
)

__all__ = [
    "MEASURES",
    "PUBLISHED_BENCHES",
    "REFERENCES",
    "REWARD_WINDOW",
    "AcrossBenches",
    "ArmAudit",
    "ArmCurve",
    "ArmRuns",
    "BenchScores",
    "BenchTests",
    "Confounds",
    "Controls",
    "Difference",
    "Effect",
    "Explained",
    "GeometryReport",
    "Judgement",
    "Leaderboard",
    "NothingToRecommendError",
    "PublishedScore",
    "Race",
    "RaceArm",
    "Recommendation",
    "Retained",
    "Row",
    "RunAudit",
    "RunFate",
    "Searches",
    "Verdicts",
    "Views",
    "across_benches",
    "arm_costs",
    "arm_labels",
    "at_equal_parameters",
    "at_equal_time",
    "audit_arms",
    "audit_runs",
    "bench_scores",
    "build_leaderboard",
    "chance",
    "comparisons",
    "count",
    "difference_rows",
    "differences",
    "digits",
    "group_means",
    "judge",
    "listed",
    "measure_confounds",
    "measure_controls",
    "measure_retained",
    "memory",
    "mixture",
    "pareto_frontier",
    "percent",
    "points",
    "provenance",
    "published_scores",
    "read_confounds",
    "read_geometry",
    "read_races",
    "read_searches",
    "recommend",
    "reward_curves",
    "selection_curves",
    "summary_rows",
    "waited_fraction",
    "write_retained",
]
