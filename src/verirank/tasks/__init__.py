"""Where problems come from: prompts, answer extraction, training streams and benches."""

from verirank.tasks._grading import grade
from verirank.tasks._overlap import Overlap, find_overlap
from verirank.tasks._preview import Lengths, RenderedPrompt, TaskPreview, preview_task
from verirank.tasks._problem import BenchSettings, Problem, Task
from verirank.tasks._problem_set_task import ProblemSetConfig, ProblemSetTask
from verirank.tasks._problem_sets import benches, read_bench, read_training_set, training_sets
from verirank.tasks._prompts_fit import expect_prompts_fit, longest_sequence
from verirank.tasks._registry import bench_settings, load_task
from verirank.tasks._splits import split_of
from verirank.tasks._templates import conclusion
from verirank.tasks.arithmetic import draw_chain
from verirank.tasks.golds import Confusion, GoldKinds, find_confusion, gold_kinds

__all__ = [
    "BenchSettings",
    "Confusion",
    "GoldKinds",
    "Lengths",
    "Overlap",
    "Problem",
    "ProblemSetConfig",
    "ProblemSetTask",
    "RenderedPrompt",
    "Task",
    "TaskPreview",
    "bench_settings",
    "benches",
    "conclusion",
    "draw_chain",
    "expect_prompts_fit",
    "find_confusion",
    "find_overlap",
    "gold_kinds",
    "grade",
    "load_task",
    "longest_sequence",
    "preview_task",
    "read_bench",
    "read_training_set",
    "split_of",
    "training_sets",
]
