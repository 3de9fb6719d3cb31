"""Studies with a known truth: what intervals, power and verdicts are measured against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verirank.statistics._difficulty import Difficulty
from verirank.statistics._scores import FloatArray


@dataclass(frozen=True, slots=True)
class SimulatedStudies:
    """B studies of two methods a and b on the same problems.

    Attributes:
        a_BSP: the fraction of right samples of each seed and problem.
        b_BSP: the other method's.
        accuracy: a's true accuracy, over all seeds and problems there could be.
        difference: a's less b's.
        run_accuracy_B: a's true accuracy over all problems with the seeds that were drawn.
        run_difference_B: a's less b's with the seeds that were drawn.
    """

    a_BSP: FloatArray
    b_BSP: FloatArray
    accuracy: float
    difference: float
    run_accuracy_B: FloatArray
    run_difference_B: FloatArray


@dataclass(frozen=True, slots=True)
class StudyModel:
    """Beta-distributed problems, normal seeds, binomial samples.

    Problem i has chance p_i ~ Beta for method b; a seed s of a method moves it to p_i + x h(p_i),
    h(p) = p (1-p) / E[p (1-p)], x ~ N(effect of the method, seed_sd). The mean of h is 1, so x is
    the move of the accuracy itself, and what is hopeless or certain stays so. Seeds are cut at the
    |x| that would lead out of [0, 1], on both sides alike, which keeps the truth exact.
    """

    difficulty: Difficulty
    seed_sd: float
    difference: float = 0.0

    def draw(
        self, studies: int, seeds: int, problems: int, samples: int, generator: np.random.Generator
    ) -> SimulatedStudies:
        """Return that many independent studies."""
        chance_BP = generator.beta(*self.difficulty.shapes, size=(studies, problems))
        weight_BP = chance_BP * (1 - chance_BP) / self.difficulty.sample_variance
        most = self.difficulty.sample_variance - abs(self.difference)
        if most < 3 * self.seed_sd:
            raise ValueError("the difference and the seeds' SD lead out of [0, 1]")
        noise = generator.normal(0.0, self.seed_sd, size=(2, studies, seeds)).clip(-most, most)
        moves_aBS, moves_bBS = noise[0] + self.difference, noise[1]
        arms = []
        for moves_BS in (moves_aBS, moves_bBS):
            chance_BSP = chance_BP[:, None] + moves_BS[:, :, None] * weight_BP[:, None]
            arms.append(generator.binomial(samples, chance_BSP.clip(0, 1)) / samples)
        mean = self.difficulty.mean
        return SimulatedStudies(
            a_BSP=arms[0],
            b_BSP=arms[1],
            accuracy=mean + self.difference,
            difference=self.difference,
            run_accuracy_B=mean + moves_aBS.mean(axis=1),
            run_difference_B=(moves_aBS - moves_bBS).mean(axis=1),
        )
