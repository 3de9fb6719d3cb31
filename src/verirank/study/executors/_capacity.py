"""Whether this machine can take one more trial, and on which GPU."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

import psutil

from verirank.config import InputError, TrialConfig, usable_cores

_UNKNOWN_BYTES = 2**30
"""What a trial is taken to need whose model's shape is not known."""
_PROOF_BYTES = 10
"""A parameter: of the proof's base in fp32, and of the plain model that it publishes from it."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a trial computes, and the memory that is reserved for it in bytes.

    `gpu` is a GPU as CUDA_VISIBLE_DEVICES names it; None is the CPU.
    """

    gpu: str | None
    memory: int


@dataclass
class Capacity:
    """Gives slots to trials: a GPU each, or cores, as far as the free memory suffices.

    Args:
        processes: how many trials run at the same time; None takes all GPUs or cores.
        threads: of each trial on a CPU.
        gpus: that take trials.
    """

    processes: int | None
    threads: int
    gpus: list[str]
    largest: int = field(default=0, init=False)
    """Bytes of the largest trial that has ended, which counts where less is planned."""

    def at_once(self, trial: TrialConfig) -> int:
        """Return how many trials of a kind run at the same time where memory suffices."""
        cores = max(1, usable_cores() // self.threads)
        return self.processes or len(self._gpus_of(trial)) or cores

    def slot(
        self,
        trial: TrialConfig,
        taken: Collection[tuple[Slot, int]],
        avoid: Collection[str] = (),
    ) -> Slot | None:
        """Return a slot for one more trial, or None while it has to wait.

        Args:
            trial: that is to start.
            taken: the slots of the running trials, each with the bytes that it uses by now.
            avoid: GPUs on which this trial has failed; it waits for another where there is one.
        """
        if len(taken) >= self.at_once(trial):
            return None
        gpus = self._gpus_of(trial)
        gpus = [gpu for gpu in gpus if gpu not in avoid] or gpus
        needed = max(self.largest, planned_bytes(trial, on_gpu=bool(gpus)))
        if self.processes is None and taken:
            coming = sum(max(0, slot.memory - resident) for slot, resident in taken)
            if psutil.virtual_memory().available < needed + coming:
                return None
        used = Counter(slot.gpu for slot, _ in taken)
        gpu = min(gpus, key=lambda gpu: used[gpu], default=None)
        if self.processes is None and gpu is not None and used[gpu]:
            return None
        return Slot(gpu, needed)

    def _gpus_of(self, trial: TrialConfig) -> list[str]:
        return self.gpus if trial.machine.device in ("auto", "cuda") else []


def gpus_here() -> list[str]:
    """Return this machine's GPUs as CUDA_VISIBLE_DEVICES names them."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",")[:count] if visible else [str(number) for number in range(count)]


def planned_bytes(trial: TrialConfig, *, on_gpu: bool) -> int:
    """Return the host's memory that a trial is planned to need, in bytes."""
    from verirank.models import load_shape
    from verirank.planning import PROMPT_TOKENS, Lengths, memory_of, token_limit
    from verirank.trial import is_remembered

    try:
        shape = load_shape(trial.model)
    except InputError:
        return _UNKNOWN_BYTES
    memory = memory_of(trial, shape, Lengths(PROMPT_TOKENS, token_limit(trial)))
    needed = memory.base + memory.process if on_gpu else memory.total
    if not is_remembered(trial.method):
        needed = max(needed, memory.base + memory.process + _PROOF_BYTES * shape.parameters)
    return int(needed)
