"""The verifier: rewards for answers, within a deadline and a memory limit, from any thread."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Self

from verirank.config import VerifierConfig
from verirank.verifier._cache import VerdictCache
from verirank.verifier._direct import compare_directly
from verirank.verifier._pool import WorkerPool


@dataclass(frozen=True, slots=True)
class Reward:
    """What one answer earned.

    `value` is 1.0 for a right answer, else 0.0. `reason` is one of: exact, numbers equal, numbers
    differ, equal, different, no answer, too long, unparsable gold, unparsable answer, deadline,
    memory (where sympy does not hide it as different), crashed. `seconds` is what this check took.
    """

    value: float
    correct: bool
    reason: str
    seconds: float


class Verifier:
    """Decides whether answers are right: by text, by number, then by math-verify in workers.

    The processes start at the first pair that needs one and end with `close`. A hostile answer
    costs its own pair a zero. All methods may be called from any thread.
    """

    def __init__(self, config: VerifierConfig) -> None:
        self.config = config
        self._pool = WorkerPool(config)
        self._cache = VerdictCache(self._pool.compare)
        self._finalizer = weakref.finalize(self, self._pool.close)

    def verify(self, gold: str, prediction: str | None) -> Reward:
        """Return the reward of one prediction.

        Args:
            gold: the right answer, with or without mathematical delimiters.
            prediction: the answer stated, or None where none was.

        Raises:
            RuntimeError: worker processes cannot be started, or the verifier is closed.
        """
        start = perf_counter()
        verdict = compare_directly(gold, prediction)
        if verdict is None:
            assert prediction is not None
            verdict = self._cache.compare(gold, prediction)
        correct, reason = verdict
        return Reward(float(correct), correct, reason, perf_counter() - start)

    def verify_many(self, pairs: Sequence[tuple[str, str | None]]) -> list[Reward]:
        """Return the rewards of many (gold, prediction) pairs, in their order.

        Equal pairs are checked once; the others run concurrently, one per worker process.
        """
        distinct = list(dict.fromkeys(pairs))
        with ThreadPoolExecutor(self.config.workers) as threads:
            rewards = dict(zip(distinct, threads.map(self._verify_pair, distinct), strict=True))
        return [rewards[pair] for pair in pairs]

    def close(self) -> None:
        """End the worker processes; the verifier cannot be used afterwards."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _verify_pair(self, pair: tuple[str, str | None]) -> Reward:
        return self.verify(*pair)
