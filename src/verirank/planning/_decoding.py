"""How long an engine takes to decode a batch of completions, one token of each at a time."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm

from verirank.config import InputError
from verirank.sampling import problems_needed


@dataclass(frozen=True, slots=True)
class Engine:
    """What one decoding step costs.

    The host needs `floor` seconds to launch it and `a_request` more for each sequence; meanwhile
    the GPU reads `weight_bytes`, and `token_bytes` of keys and values for every token that is
    attended to, at `bandwidth` bytes a second. The longer of the two is the step's time. At most
    `slots` sequences are decoded together.
    """

    floor: float
    a_request: float
    weight_bytes: float
    token_bytes: float
    bandwidth: float
    slots: int

    def steps(self, steps: int, active: int, attended: float) -> float:
        """Return the seconds of so many steps in which no sequence ends.

        Args:
            steps: how many.
            active: sequences.
            attended: tokens that all of them attend to in the first step.
        """
        seen = attended + active * np.arange(steps)
        read = (self.weight_bytes + self.token_bytes * seen) / self.bandwidth
        return float(np.maximum(self.floor + self.a_request * active, read).sum())

    def seconds(self, prompt: int, lengths: Sequence[int]) -> float:
        """Return the seconds of decoding completions of these lengths behind equal prompts.

        A sequence that ends gives its slot to the next one that waits. Prompts are not counted.
        """
        if not len(lengths):
            return 0.0
        starts, ends = _slots(lengths, self.slots)
        steps = int(ends.max())
        active = _running(starts, ends, np.ones(len(starts)), steps)
        begun = _running(starts, ends, starts, steps)
        attended = active * (prompt + np.arange(steps)) - begun
        read = (self.weight_bytes + self.token_bytes * attended) / self.bandwidth
        return float(np.maximum(self.floor + self.a_request * active, read).sum())


@dataclass(frozen=True, slots=True)
class Refilled:
    """A batch that was filled without waiting: the groups it took, and the seconds of decoding."""

    groups: int
    seconds: float


def refill(
    engine: Engine,
    prompt: int,
    groups: Iterable[tuple[Sequence[int], bool]],
    *,
    wanted: int,
    most: int,
    kept: float,
) -> Refilled:
    """Decode groups until enough of them are kept, as training requests and accepts them.

    Problems are requested ahead by the rate of groups that are kept, a sequence that ends gives its
    slot to the next one that waits, groups count in their order, and the rest is given up.

    Args:
        engine: what decoding costs.
        prompt: tokens of each prompt; reading them is not counted.
        groups: lengths of a group's completions, and whether it is kept; endless.
        wanted: kept groups that fill the batch.
        most: groups that may be sampled for it.
        kept: the fraction of groups that are kept.
    """
    stream = iter(groups)
    fates: list[bool] = []
    unfinished: list[int] = []
    waiting, running = deque[tuple[int, int]](), list[tuple[int, int, int]]()
    decided = dict[int, bool]()
    accepted, missing, now, attended, seconds = 0, wanted, 0, 0.0, 0.0
    while missing and accepted < most:
        expected = wanted - sum(decided.values())
        ahead = problems_needed(expected, kept) if expected > 0 else 0
        while len(fates) < min(most, len(decided) + ahead):
            lengths, fate = next(stream)
            waiting.extend((len(fates), length) for length in lengths)
            fates.append(fate)
            unfinished.append(len(lengths))
        while waiting and len(running) < engine.slots:
            group, length = waiting.popleft()
            heapq.heappush(running, (now + length, group, length))
            attended += prompt
        seconds += engine.steps(running[0][0] - now, len(running), attended)
        attended += (running[0][0] - now) * len(running)
        now = running[0][0]
        while running and running[0][0] == now:
            _, group, length = heapq.heappop(running)
            attended -= prompt + length
            unfinished[group] -= 1
            if not unfinished[group]:
                decided[group] = fates[group]
        while missing and accepted in decided:
            missing -= decided[accepted]
            accepted += 1
    return Refilled(accepted, seconds)


def _slots(lengths: Sequence[int], slots: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return at which decoding step each sequence starts and ends, taken in their order."""
    free, starts = [0] * min(slots, len(lengths)), list[int]()
    for length in lengths:
        starts.append(free[0])
        heapq.heapreplace(free, free[0] + length)
    begun = np.array(starts, dtype=np.float64)
    return begun, begun + np.array(lengths)


def _running(
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    values: NDArray[np.float64],
    steps: int,
) -> NDArray[np.float64]:
    """Return at each step the sum of values over the sequences that run."""
    change = np.zeros(steps + 1)
    np.add.at(change, starts.astype(int), values)
    np.add.at(change, ends.astype(int), -values)
    return change[:-1].cumsum()


@dataclass(frozen=True, slots=True)
class LengthModel:
    """Lengths of completions: log-normal, cut off at a limit; `mu` and `sigma` are of the log."""

    mu: float
    sigma: float
    limit: int

    @classmethod
    def of(cls, mean: float, limit: int, at_limit: float) -> LengthModel:
        """Return the model with this mean length, of which a fraction reaches the limit.

        Raises:
            InputError: no distribution has both.
        """
        if mean >= limit:
            return cls(log(limit), 0.0, limit)
        if not at_limit * limit < mean:
            raise InputError(
                f"completions of {mean:g} tokens on average cannot reach the limit of {limit} in "
                f"{100 * at_limit:g} % of cases: lower --at-limit"
            )
        z = norm.isf(at_limit)

        def excess(sigma: float) -> float:
            mu = log(limit) - sigma * z
            below = exp(mu + sigma**2 / 2 + float(norm.logcdf(z - sigma)))
            return float(below + limit * at_limit - mean)

        sigma = brentq(excess, 1e-6, 40.0)
        assert isinstance(sigma, float)
        return cls(log(limit) - sigma * float(z), sigma, limit)

    def draw(self, n: int, generator: np.random.Generator) -> list[int]:
        """Draw n lengths, each at least 1."""
        drawn = np.exp(self.mu + self.sigma * generator.standard_normal(n))
        return [int(length) for length in np.clip(np.ceil(drawn), 1, self.limit)]
