"""Many trials: studies, the executors that run them, and one trial from proof to scores."""

from verirank.study._confounds import DefectConfig
from verirank.study._definition import SearchConfig, Study, make_study, read_study, study_names
from verirank.study._jobs import Executor, Job, Outcome
from verirank.study._local import LocalExecutor
from verirank.study._plan import Plan, PlannedTrial, plan_study
from verirank.study._proof import MethodUnprovenError
from verirank.study._ray import RayExecutor
from verirank.study._run import open_study, resume_study, run_study, run_trials
from verirank.study._status import ENDED, StudyStatus, TrialStatus, study_status
from verirank.study._store import Store, trial_id
from verirank.study._trial import Rung, run_trial, sample_base, start_trial

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
    "sample_base",
    "start_trial",
    "study_names",
    "study_status",
    "trial_id",
]
