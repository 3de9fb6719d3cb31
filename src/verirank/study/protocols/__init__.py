"""Running a study by its protocol: single, fair or race, with the record of each look of a race."""

from verirank.study.protocols._field import RaceField
from verirank.study.protocols._run import resume_study, run_study, run_trials

__all__ = ["RaceField", "resume_study", "run_study", "run_trials"]
