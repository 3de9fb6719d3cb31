"""What lies on disk: whole files, the record of a trial, its samples, and where it was made."""

from verirank.record._duration import duration
from verirank.record._files import (
    as_row,
    read_json,
    read_parquet,
    read_trial,
    whole_file,
    whole_folder,
    write_csv,
    write_file,
    write_json,
)
from verirank.record._locks import LOOK_SECONDS, BusyError, hold, is_held
from verirank.record._machine import package_versions, processor, source_revision, usable_cores
from verirank.record._run import Run, find_runs, step_seconds
from verirank.record._samples import (
    SamplesIncompleteError,
    answers_PK,
    correct_PK,
    problem_ids,
    read_samples,
    read_stages,
    write_samples,
)
from verirank.record._trial_list import (
    Role,
    TrialEntry,
    TrialList,
    read_trial_list,
    write_trial_list,
)

__all__ = [
    "LOOK_SECONDS",
    "BusyError",
    "Role",
    "Run",
    "SamplesIncompleteError",
    "TrialEntry",
    "TrialList",
    "answers_PK",
    "as_row",
    "correct_PK",
    "duration",
    "find_runs",
    "hold",
    "is_held",
    "package_versions",
    "problem_ids",
    "processor",
    "read_json",
    "read_parquet",
    "read_samples",
    "read_stages",
    "read_trial",
    "read_trial_list",
    "source_revision",
    "step_seconds",
    "usable_cores",
    "whole_file",
    "whole_folder",
    "write_csv",
    "write_file",
    "write_json",
    "write_samples",
    "write_trial_list",
]
