"""Where problems come from: prompts, answer extraction, training streams and benches."""

from verirank.tasks._confusion import Confusion, find_confusion
from verirank.tasks._grading import grade
from verirank.tasks._overlap import Overlap, find_overlap
from verirank.tasks._problem import BenchSettings, Problem, Task
from verirank.tasks._problem_sets import benches, read_bench, read_training_set, training_sets
from verirank.tasks._registry import bench_settings, load_task
from verirank.tasks._splits import split_of
from verirank.tasks.arithmetic import draw_chain

__all__ = [
    "BenchSettings",
    "Confusion",
    "Overlap",
    "Problem",
    "Task",
    "bench_settings",
    "benches",
    "draw_chain",
    "find_confusion",
    "find_overlap",
    "grade",
    "load_task",
    "read_bench",
    "read_training_set",
    "split_of",
    "training_sets",
]
