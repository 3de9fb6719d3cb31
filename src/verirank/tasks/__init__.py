"""Where problems come from: prompts, answer extraction, training streams and benches."""

from verirank.tasks._grading import grade
from verirank.tasks._problem import Problem, Task
from verirank.tasks._registry import load_task
from verirank.tasks._splits import split_of
from verirank.tasks.arithmetic import draw_chain

__all__ = ["Problem", "Task", "draw_chain", "grade", "load_task", "split_of"]
