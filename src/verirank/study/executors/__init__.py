"""Where a study's trials run: processes of this machine, or a Ray cluster."""

from verirank.study.executors._jobs import Executor, Job, Outcome
from verirank.study.executors._local import LocalExecutor, threads_each
from verirank.study.executors._ray import RayExecutor

__all__ = ["Executor", "Job", "LocalExecutor", "Outcome", "RayExecutor", "threads_each"]
