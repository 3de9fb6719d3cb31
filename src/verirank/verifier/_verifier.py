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
from verirank.verifier._direct import EQUALITY, MAX_CHARACTERS, compare_directly
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

    def verify(self, gold: str, prediction: str | None, *, comparison: str = EQUALITY) -> Reward:
        """Return the reward of one prediction.

        Args:
            gold: the right answer, with or without mathematical delimiters.
            prediction: the answer stated, or None where none was.
            comparison: where a task judges by rules of its own, its function as
                `module:function`, which a worker calls with gold and prediction for a verdict and
                a reason.

        Raises:
            RuntimeError: worker processes cannot be started, or the verifier is closed.
        """
        start = perf_counter()
        correct, reason = self._verdict(comparison, gold, prediction)
        return Reward(float(correct), correct, reason, perf_counter() - start)

    def verify_many(
        self, pairs: Sequence[tuple[str, str | None]], *, comparison: str = EQUALITY
    ) -> list[Reward]:
        """Return the rewards of many (gold, prediction) pairs, in their order; see `verify`.

        Equal pairs are checked once; the others run concurrently, one per worker process.
        """
        distinct = list(dict.fromkeys(pairs))
        with ThreadPoolExecutor(self.config.workers) as threads:
            checked = threads.map(lambda pair: self.verify(*pair, comparison=comparison), distinct)
            rewards = dict(zip(distinct, checked, strict=True))
        return [rewards[pair] for pair in pairs]

    def close(self) -> None:
        """End the worker processes; the verifier cannot be used afterwards."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _verdict(self, comparison: str, gold: str, prediction: str | None) -> tuple[bool, str]:
        if prediction is None or not prediction.strip():
            return False, "no answer"
        if len(prediction) > MAX_CHARACTERS:
            return False, "too long"
        direct = compare_directly(gold, prediction) if comparison == EQUALITY else None
        return direct or self._cache.compare(comparison, gold, prediction)
