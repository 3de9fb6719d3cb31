"""What a race is expected to train, before its first seed."""

from __future__ import annotations

from math import inf

import numpy as np

from verirank.statistics._bootstrap import fixed_generator
from verirank.statistics.races._decide import RaceDesign, decide

_RACES, _PROBLEMS = 40, 2


def expected_runs(arms: int, design: RaceDesign, spread: float, run_sd: float) -> float:
    """Return the mean number of runs of simulated races.

    Args:
        arms: in the race.
        design: looks, errors and margin.
        spread: SD between the arms' true means, a fraction of 1.
        run_sd: SD of a run's mean around its arm's, by seeds and samples, a fraction of 1.

    Raises:
        ValueError: there is no arm, or an SD is not finite or is negative.
    """
    if not arms >= 1 or not 0 <= spread < inf or not 0 <= run_sd < inf:
        raise ValueError("a forecast needs an arm, and finite SDs of 0 or more")
    generator = fixed_generator()
    return float(np.mean([_runs(arms, design, spread, run_sd, generator) for _ in range(_RACES)]))


def _runs(
    arms: int, design: RaceDesign, spread: float, run_sd: float, generator: np.random.Generator
) -> int:
    mean_MS = generator.normal(0.0, spread, (arms, 1))
    mean_MS = mean_MS + generator.normal(0.0, run_sd, (arms, design.looks[-1]))
    values_MSP = np.repeat(mean_MS[:, :, None], _PROBLEMS, axis=2)
    trained = dict.fromkeys(range(arms), design.looks[0])
    while True:
        scores = {str(arm): values_MSP[arm, :seeds] for arm, seeds in trained.items()}
        decision = decide(scores, design)
        if not decision.going_on:
            return sum(trained.values())
        trained |= {int(arm): decision.seeds for arm in decision.going_on}
