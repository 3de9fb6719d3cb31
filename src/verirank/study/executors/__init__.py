"""Where a study's trials run: processes of this machine, or a Ray cluster."""

from verirank.study.executors._capacity import Capacity, Slot, planned_bytes
from verirank.study.executors._gpu_health import GPUHealth
from verirank.study.executors._jobs import Executor, Job, Outcome
from verirank.study.executors._local import LocalExecutor, threads_each
from verirank.study.executors._ray import RayExecutor
from verirank.study.executors._stall import StallClock

__all__ = [
    "Capacity",
    "Executor",
    "GPUHealth",
    "Job",
    "LocalExecutor",
    "Outcome",
    "RayExecutor",
    "Slot",
    "StallClock",
    "planned_bytes",
    "threads_each",
]
