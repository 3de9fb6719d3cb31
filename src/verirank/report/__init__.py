"""What came out: the leaderboard, the table in the terminal, and one self-contained page."""

from verirank.report._artist import Artist
from verirank.report._completions import bench_completions, rollouts
from verirank.report._geometry import MEASURES
from verirank.report._recommend import NothingToRecommendError, Recommendation, recommend
from verirank.report._run_index import INDEX
from verirank.report._standouts import overview
from verirank.report._text import excerpt, readable
from verirank.report._verdicts import Judgement, RunFate, Verdicts, judge
from verirank.report.confounds import Confounds, Effect, measure_confounds, read_confounds
from verirank.report.figures import energy_figure
from verirank.report.leaderboard import Leaderboard, Row, build_leaderboard
from verirank.report.page import write_report
from verirank.report.terminal import print_confounds, print_leaderboard

__all__ = [
    "INDEX",
    "MEASURES",
    "Artist",
    "Confounds",
    "Effect",
    "Judgement",
    "Leaderboard",
    "NothingToRecommendError",
    "Recommendation",
    "Row",
    "RunFate",
    "Verdicts",
    "bench_completions",
    "build_leaderboard",
    "energy_figure",
    "excerpt",
    "judge",
    "measure_confounds",
    "overview",
    "print_confounds",
    "print_leaderboard",
    "read_confounds",
    "readable",
    "recommend",
    "rollouts",
    "write_report",
]
