"""Many trials that answer one question: definition, plan, search, executors, status."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from verirank.study._arm import Arm
from verirank.study._confounds import DefectConfig
from verirank.study._definition import (
    SearchConfig,
    Study,
    make_study,
    open_study,
    read_study,
    study_names,
)
from verirank.study._equal_parameters import MATCHED_WITHIN
from verirank.study._race_config import RaceConfig
from verirank.study._status import RaceStatus, StudyStatus, TrialStatus, study_status
from verirank.study._trial_state import ENDED, read_state
from verirank.study.executors import Executor, Job, LocalExecutor, Outcome, RayExecutor
from verirank.trial import Store

if TYPE_CHECKING:
    from verirank.study._equal_time import with_equal_time
    from verirank.study._first_look import FirstLook
    from verirank.study._plan import Plan, PlannedTrial, most_trials, plan_study
    from verirank.study._race_plan import RaceForecast
    from verirank.study.protocols import resume_study, run_study, run_trials

__all__ = [
    "ENDED",
    "MATCHED_WITHIN",
    "Arm",
    "DefectConfig",
    "Executor",
    "FirstLook",
    "Job",
    "LocalExecutor",
    "Outcome",
    "Plan",
    "PlannedTrial",
    "RaceConfig",
    "RaceForecast",
    "RaceStatus",
    "RayExecutor",
    "SearchConfig",
    "Store",
    "Study",
    "StudyStatus",
    "TrialStatus",
    "make_study",
    "most_trials",
    "open_study",
    "plan_study",
    "read_state",
    "read_study",
    "resume_study",
    "run_study",
    "run_trials",
    "study_names",
    "study_status",
    "with_equal_time",
]

# Planning and running load torch, of which the status of a study needs nothing.
_HEAVY = {
    "_equal_time": ("with_equal_time",),
    "_first_look": ("FirstLook",),
    "_race_plan": ("RaceForecast",),
    "_plan": ("Plan", "PlannedTrial", "most_trials", "plan_study"),
    "protocols": ("resume_study", "run_study", "run_trials"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HEAVY.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
