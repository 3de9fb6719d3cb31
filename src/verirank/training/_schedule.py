"""How the learning rate goes over a trial's steps."""

from __future__ import annotations

import math

from verirank.config import TrainingConfig


def rate_factor(step: int, training: TrainingConfig) -> float:
    """Return what a step's learning rate is of the full one.

    It rises linearly over `warmup_steps`; then it stays (`constant`), falls linearly to 0
    (`linear`), falls by half a cosine (`cosine`), or stays and falls linearly over the last
    `decay_fraction` of all steps (`wsd`, warm-up, stable, decay: arXiv:2404.06395). The last step's
    rate is above 0.

    Args:
        step: from 0.
        training: names the schedule.
    """
    steps, warmup = training.steps, training.warmup_steps
    warm = min(1.0, (step + 1) / max(warmup, 1))
    left = (steps - step) / max(1, steps - warmup)
    if training.schedule == "linear":
        return warm * min(1.0, left)
    if training.schedule == "cosine":
        return warm * 0.5 * (1 - math.cos(math.pi * min(1.0, left)))
    if training.schedule == "wsd":
        return warm * min(1.0, (steps - step) / max(1.0, steps * training.decay_fraction))
    return warm
