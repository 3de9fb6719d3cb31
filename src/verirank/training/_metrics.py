"""What a step reports: rewards, lengths, and where its seconds went."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import torch

from verirank.algorithms import Group
from verirank.config import waited_seconds
from verirank.processes import collect
from verirank.verifier import FAILURES, UNVERIFIED, Reward

_PHASES = ("sample", "verify", "train", "publish")


class Clock:
    """Adds up the seconds of a step's phases, and those in which other work had the core."""

    def __init__(self) -> None:
        self._waited = waited_seconds()
        self._seconds: dict[str, float] = dict.fromkeys(_PHASES, 0.0)

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Count the seconds of the block towards one phase."""
        start = time.perf_counter()
        yield
        self._seconds[phase] += time.perf_counter() - start

    def metrics(self, sampled: Sequence[Group]) -> dict[str, float]:
        """Return the seconds of every phase, tokens a second, and the largest process's memory.

        `seconds_waited`, where the system tells them, are those of this thread without a core.
        """
        tokens = sum(c.length for group in sampled for c in group.completions)
        begun, now = self._waited, waited_seconds()
        waited = {} if now is None or begun is None else {"seconds_waited": now - begun}
        return {
            **{f"seconds_{phase}": seconds for phase, seconds in self._seconds.items()},
            **waited,
            "tokens_per_second": tokens / max(sum(self._seconds.values()), 1e-9),
            "peak_memory_bytes": max(collect([peak_memory_bytes()])),
        }


def sampling_metrics(sampled: Sequence[Group], is_whole_at_limit: bool = False) -> dict[str, float]:
    """Return the means over every completion sampled, whether or not its group was used.

    `samples` counts the completions, `unverified` the answers that the verifier left undecided on
    a busy machine, `verifier_failures` those for which its deadline or memory was too small or its
    process died. Neither earn anything. Of rewards that have components, `reward_NAME_mean` is the
    mean of each; where one is missing, it counts as 0.
    """
    completions = [c for group in sampled for c in group.completions]
    rewards = [reward for group in sampled for reward in group.rewards]
    n = len(completions)
    return {
        "reward_mean": sum(reward.value for reward in rewards) / n,
        **_component_means(rewards),
        "groups_sampled": len(sampled),
        "completion_length_mean": sum(c.length for c in completions) / n,
        "truncated_fraction": 0.0
        if is_whole_at_limit
        else sum(c.truncated for c in completions) / n,
        "samples": n,
        "unverified": [reward.reason for reward in rewards].count(UNVERIFIED),
        "verifier_failures": sum(reward.reason in FAILURES for reward in rewards),
    }


def _component_means(rewards: Sequence[Reward]) -> dict[str, float]:
    names = dict.fromkeys(name for reward in rewards for name in reward.components)
    return {
        f"reward_{name}_mean": sum(r.components.get(name, 0.0) for r in rewards) / len(rewards)
        for name in names
    }


def reset_peak_memory() -> None:
    """Let the peak be counted from now on, where the system can (Linux)."""
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_bytes() -> int:
    """Return the largest resident size of this process since `reset_peak_memory`.

    Where it computes by CUDA: the most that torch had allocated on the GPU.
    """
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated()
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = getrusage(RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
