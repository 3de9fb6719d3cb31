"""Renders a ranking: figures, one self-contained HTML page, terminal tables."""

from verirank.report._artist import Artist
from verirank.report._evidence import gather_evidence
from verirank.report._overview import overview
from verirank.report._text import excerpt, readable
from verirank.report._words import answer, limits, ranks, use
from verirank.report.figures import energy_figure
from verirank.report.page import write_report
from verirank.report.terminal import print_advice, print_confounds, print_leaderboard

__all__ = [
    "Artist",
    "answer",
    "energy_figure",
    "excerpt",
    "gather_evidence",
    "limits",
    "overview",
    "print_advice",
    "print_confounds",
    "print_leaderboard",
    "ranks",
    "readable",
    "use",
    "write_report",
]
