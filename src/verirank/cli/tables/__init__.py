"""What commands show while they work: a study's plan and its live table, a run's progress."""

from verirank.cli.tables._plan import left_out_in_words, render_plan
from verirank.cli.tables._progress import progress
from verirank.cli.tables._watch import Watch, render

__all__ = ["Watch", "left_out_in_words", "progress", "render", "render_plan"]
