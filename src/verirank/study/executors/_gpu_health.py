"""Which GPUs take trials: whether a fault was a GPU's or its trial's."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_MOST_FAULTS = 2
"""Trials that a GPU fails one after the other, or GPUs on which a trial fails."""

Blame = Literal["gpu", "trial", "unknown"]


class GPUHealth:
    """Tells a GPU that fails trials from a trial that fails on every GPU.

    A GPU is at fault once two trials have failed on it with none between them that ended well. A
    trial is at fault once it has failed on two GPUs, which are then no longer suspected for it.
    The last GPU is never set aside.
    """

    def __init__(self, gpus: list[str]) -> None:
        self.good = list(gpus)
        """The GPUs that take trials."""
        self._failed: dict[str, set[Path]] = {gpu: set() for gpu in gpus}

    def ended_well(self, gpu: str) -> None:
        """Clear a GPU: a trial has ended well on it."""
        self._failed[gpu].clear()

    def failed(self, gpu: str, trial: Path) -> Blame:
        """Count a fault; return whose it is, as far as that is known by now."""
        self._failed[gpu].add(trial)
        if sum(trial in trials for trials in self._failed.values()) >= _MOST_FAULTS:
            for trials in self._failed.values():
                trials.discard(trial)
            return "trial"
        if len(self._failed[gpu]) < _MOST_FAULTS or self.good == [gpu]:
            return "unknown"
        if gpu in self.good:
            self.good.remove(gpu)
        return "gpu"
