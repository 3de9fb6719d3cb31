"""Whether a trial's sequences reach a model's sliding window."""

from __future__ import annotations

from dataclasses import replace

from verirank.config import TrialConfig
from verirank.models import BaseModel
from verirank.tasks import load_task, longest_sequence


def within_reach(config: TrialConfig, base: BaseModel) -> BaseModel:
    """Return the base with the length of the trial's longest sequence, where it has a window.

    A window that no sequence reaches is full attention, which the kernels compute.
    """
    if base.window is None or base.longest is not None:
        return base
    return replace(base, longest=longest_sequence(load_task(config.task), config, base))
