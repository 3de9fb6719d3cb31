"""How a trial's end is recorded: whose fault it was."""

from __future__ import annotations

import pytest

from verirank.config import InputError, RunFailedError
from verirank.methods import DivergedError
from verirank.trial import MethodUnprovenError, NothingToLearnError, failed_for_good, failure_kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DivergedError.of("lora", "the gradient is nan"), "diverged"),
        (MethodUnprovenError("dispatch failed"), "unproven"),
        (NothingToLearnError("the base is always right"), "invalid"),
        (InputError("no such bench"), "input"),
        (RunFailedError("the reward function raised"), "error"),
        (ValueError("probabilities hold nan"), "error"),
        (OSError(28, "No space left on device"), "machine"),
        (RuntimeError("CUDA error: device-side assert"), "machine"),
    ],
)
def test_every_error_has_the_kind_that_the_manifest_records(error: Exception, kind: str) -> None:
    assert failure_kind(error) == kind
    manifest = {"status": "failed", "failure_kind": kind}
    assert failed_for_good(manifest) == (kind != "machine")
