"""A run's training by step, as the report needs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verirank.config import DURING
from verirank.record._run import Run
from verirank.record._step_seconds import step_seconds

_FloatArray = NDArray[np.float64]
_OPTIONAL = (
    *("truncated_fraction", "served_changed_fraction", "kl_train_sampler", "clip_fraction"),
    f"{DURING}_avg_at_k",
)


@dataclass(frozen=True)
class Curve:
    """T training steps: their numbers, seconds, mean rewards, and what the numerics did.

    Fractions: `truncated_T` of the completions were cut off, `moved_T` of the served weights
    moved by more than half a ULP, `clipped_T` of the tokens were clipped, `used_T` of the sampled
    groups had a gradient to give. `kl_T` is the KL from sampler to trainer, nats a token;
    `selection_T` the Avg@k of the bench that is sampled during training. NaN where a step does not
    record one. Where `of_each` measures R runs together, every array is R x T.
    """

    step_T: _FloatArray
    seconds_T: _FloatArray
    reward_T: _FloatArray
    truncated_T: _FloatArray
    moved_T: _FloatArray
    kl_T: _FloatArray
    clipped_T: _FloatArray
    selection_T: _FloatArray
    used_T: _FloatArray


def read_curve(run: Run) -> Curve:
    """Read a run's metrics.jsonl.

    Raises:
        ValueError: a line is not JSON, or lacks its step, reward or seconds.
    """
    lines = run.metrics()
    try:
        required = [(line["step"], step_seconds(line), line["reward_mean"]) for line in lines]
    except KeyError as error:
        raise ValueError(f"{run.folder / 'metrics.jsonl'}: a line lacks {error}") from None
    step_T, seconds_T, reward_T = np.array(required, dtype=np.float64).reshape(-1, 3).T
    optional = [_column(lines, key) for key in _OPTIONAL]
    sampled_T, used_T = _column(lines, "groups_sampled"), _column(lines, "groups_used")
    return Curve(step_T, seconds_T, reward_T, *optional, used_T=used_T / sampled_T)


def of_each(curves: Sequence[Curve], measure: Callable[[Curve], _FloatArray]) -> list[list[Any]]:
    """Return what is measured of each curve, M numbers, None where it is not a number.

    Args:
        curves: of runs with any number of steps.
        measure: is given curves of as many steps together, whose arrays are R x T, and returns
            R x M. Thousands of curves one by one would take longer than all else of a report.
    """
    by_length: dict[int, list[int]] = {}
    for number, curve in enumerate(curves):
        by_length.setdefault(len(curve.step_T), []).append(number)
    measured: list[list[Any]] = [[]] * len(curves)
    for numbers in by_length.values():
        some = [curves[number] for number in numbers]
        columns = (np.stack([getattr(one, f.name) for one in some]) for f in fields(Curve))
        for number, row in zip(numbers, measure(Curve(*columns)).tolist(), strict=True):
            measured[number] = [None if value != value else value for value in row]
    return measured


def trailing_mean(values_RT: _FloatArray, window: int) -> _FloatArray:
    """Return at every step the mean of the last `window` values up to it, along the last axis."""
    start_R1 = np.zeros((*values_RT.shape[:-1], 1))
    total_RT = np.concatenate([start_R1, np.cumsum(values_RT, axis=-1)], axis=-1)
    last_T = np.arange(1, values_RT.shape[-1] + 1)
    first_T = np.maximum(last_T - window, 0)
    return (total_RT[..., last_T] - total_RT[..., first_T]) / (last_T - first_T)


def mean_recorded(values_RT: _FloatArray) -> _FloatArray:
    """Return the mean of the recorded values along the last axis; NaN where there is none."""
    known_RT = ~np.isnan(values_RT)
    count_R = known_RT.sum(axis=-1)
    total_R = np.where(known_RT, values_RT, 0.0).sum(axis=-1)
    return np.divide(total_R, count_R, out=np.full(count_R.shape, np.nan), where=count_R > 0)


def max_recorded(values_RT: _FloatArray) -> _FloatArray:
    """Return the largest recorded value along the last axis; NaN where there is none."""
    most_R = np.fmax.reduce(values_RT, axis=-1, initial=-np.inf)
    return np.where(np.isneginf(most_R), np.nan, most_R)


def _column(lines: list[dict[str, Any]], key: str) -> _FloatArray:
    values = [line.get(key) for line in lines]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
