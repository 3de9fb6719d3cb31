"""A run's training by step, as the report needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verirank.record import Run, step_seconds

_FloatArray = NDArray[np.float64]
_TOLD = ("truncated_fraction", "served_changed_fraction", "kl_train_sampler", "clip_fraction")


@dataclass(frozen=True)
class Curve:
    """T training steps: their numbers, seconds, mean rewards, and what the numerics did.

    Shares of 1: `truncated_T` of the completions were cut off, `moved_T` of the served weights
    moved by more than half a ULP, `clipped_T` of the tokens were clipped, `used_T` of the sampled
    groups had a gradient to give. `kl_T` is the KL from sampler to trainer, nats a token. NaN where
    a step does not tell.
    """

    step_T: _FloatArray
    seconds_T: _FloatArray
    reward_T: _FloatArray
    truncated_T: _FloatArray
    moved_T: _FloatArray
    kl_T: _FloatArray
    clipped_T: _FloatArray
    used_T: _FloatArray


def read_curve(run: Run) -> Curve:
    """Read a run's metrics.jsonl.

    Raises:
        ValueError: a line is not JSON, or lacks its step, reward or seconds.
    """
    lines = run.metrics()
    try:
        told = [(line["step"], step_seconds(line), line["reward_mean"]) for line in lines]
    except KeyError as error:
        raise ValueError(f"{run.folder / 'metrics.jsonl'}: a line lacks {error}") from None
    step_T, seconds_T, reward_T = np.array(told, dtype=np.float64).reshape(-1, 3).T
    told = {key: _where_told(lines, key) for key in _TOLD}
    sampled_T, used_T = _where_told(lines, "groups_sampled"), _where_told(lines, "groups_used")
    return Curve(step_T, seconds_T, reward_T, *told.values(), used_T=used_T / sampled_T)


def trailing_mean(values_T: _FloatArray, window: int) -> _FloatArray:
    """Return at every step the mean of the last `window` values up to it."""
    total_T = np.concatenate([[0.0], np.cumsum(values_T)])
    last_T = np.arange(1, len(values_T) + 1)
    first_T = np.maximum(last_T - window, 0)
    return (total_T[last_T] - total_T[first_T]) / (last_T - first_T)


def mean_told(values_T: _FloatArray) -> float | None:
    """Return the mean of the steps that tell, as `np.mean` has it, or None where none does."""
    told_T = values_T[~np.isnan(values_T)]
    return float(np.add.reduce(told_T)) / len(told_T) if len(told_T) else None


def _where_told(lines: list[dict[str, Any]], key: str) -> _FloatArray:
    values = [line.get(key) for line in lines]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
