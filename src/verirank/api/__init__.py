"""The Python interface behind `import verirank`, over the same functions that the commands call."""

from verirank.api._models import load_model
from verirank.api._results import compare, open_run, read_table
from verirank.api._tasks import define_task, preview
from verirank.api._trials import evaluate, train

__all__ = [
    "compare",
    "define_task",
    "evaluate",
    "load_model",
    "open_run",
    "preview",
    "read_table",
    "train",
]
