"""Many trials: studies, the executors that run them, and one trial from proof to scores."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from verirank.study._confounds import DefectConfig
from verirank.study._definition import (
    SearchConfig,
    Study,
    make_study,
    open_study,
    read_study,
    study_names,
)
from verirank.study._ending import Rung
from verirank.study._jobs import Executor, Job, Outcome
from verirank.study._local import LocalExecutor
from verirank.study._ray import RayExecutor
from verirank.study._status import ENDED, StudyStatus, TrialStatus, study_status
from verirank.study._store import Store, trial_id

if TYPE_CHECKING:
    from verirank.study._plan import Plan, PlannedTrial, plan_study
    from verirank.study._proof import MethodUnprovenError
    from verirank.study._run import resume_study, run_study, run_trials
    from verirank.study._start import start_trial
    from verirank.study._trial import run_trial

__all__ = [
    "ENDED",
    "DefectConfig",
    "Executor",
    "Job",
    "LocalExecutor",
    "MethodUnprovenError",
    "Outcome",
    "Plan",
    "PlannedTrial",
    "RayExecutor",
    "Rung",
    "SearchConfig",
    "Store",
    "Study",
    "StudyStatus",
    "TrialStatus",
    "make_study",
    "open_study",
    "plan_study",
    "read_study",
    "resume_study",
    "run_study",
    "run_trial",
    "run_trials",
    "start_trial",
    "study_names",
    "study_status",
    "trial_id",
]

# Planning and running load torch, of which the status of a study needs nothing.
_HEAVY = {
    "_plan": ("Plan", "PlannedTrial", "plan_study"),
    "_proof": ("MethodUnprovenError",),
    "_run": ("resume_study", "run_study", "run_trials"),
    "_start": ("start_trial",),
    "_trial": ("run_trial",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HEAVY.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
