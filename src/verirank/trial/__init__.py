"""One trial from proof to scores, its name and its folder in a store."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from verirank.trial._identity import digest, trial_id
from verirank.trial._outcome import (
    OtherInputsError,
    Rung,
    failed_for_good,
    failure_kind,
    is_device_fault,
    is_finished,
    may_pass,
    record_failure,
)
from verirank.trial._store import Store, trial_entry

if TYPE_CHECKING:
    from verirank.trial._base_outlook import (
        BaseOutlook,
        ExpectedCost,
        NothingToLearnError,
        base_outlook,
        expect_signal,
        expected_cost,
        read_base_outlook,
        read_form_outlook,
    )
    from verirank.trial._proof import MethodUnprovenError, is_remembered, prove
    from verirank.trial._run_trial import run_trial
    from verirank.trial._start import expect_benches, expect_possible, start_trial
    from verirank.trial._within_reach import within_reach

__all__ = [
    "BaseOutlook",
    "ExpectedCost",
    "MethodUnprovenError",
    "NothingToLearnError",
    "OtherInputsError",
    "Rung",
    "Store",
    "base_outlook",
    "digest",
    "expect_benches",
    "expect_possible",
    "expect_signal",
    "expected_cost",
    "failed_for_good",
    "failure_kind",
    "is_device_fault",
    "is_finished",
    "is_remembered",
    "may_pass",
    "prove",
    "read_base_outlook",
    "read_form_outlook",
    "record_failure",
    "run_trial",
    "start_trial",
    "trial_entry",
    "trial_id",
    "within_reach",
]

# Running a trial loads torch; a study's status, which reads only names and outcomes, does not.
_HEAVY = {
    "_base_outlook": (
        "BaseOutlook",
        "ExpectedCost",
        "NothingToLearnError",
        "base_outlook",
        "expect_signal",
        "expected_cost",
        "read_base_outlook",
        "read_form_outlook",
    ),
    "_proof": ("MethodUnprovenError", "is_remembered", "prove"),
    "_run_trial": ("run_trial",),
    "_start": ("expect_benches", "expect_possible", "start_trial"),
    "_within_reach": ("within_reach",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HEAVY.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
