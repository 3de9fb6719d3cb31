"""Many trials: how one is run from proof to scores, and how they run side by side."""

from verirank.study._local import Outcome, run_locally
from verirank.study._proof import MethodUnprovenError
from verirank.study._quickstart import progress, quickstart_trials, run_trials
from verirank.study._trial import run_trial, sample_base, start_trial

__all__ = [
    "MethodUnprovenError",
    "Outcome",
    "progress",
    "quickstart_trials",
    "run_locally",
    "run_trial",
    "run_trials",
    "sample_base",
    "start_trial",
]
