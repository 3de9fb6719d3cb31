"""What came out: the leaderboard, the table in the terminal, and one self-contained page."""

from verirank.report.figures import energy_figure, write_picture
from verirank.report.leaderboard import Leaderboard, Row, build_leaderboard
from verirank.report.page import write_report
from verirank.report.terminal import print_leaderboard

__all__ = [
    "Leaderboard",
    "Row",
    "build_leaderboard",
    "energy_figure",
    "print_leaderboard",
    "write_picture",
    "write_report",
]
