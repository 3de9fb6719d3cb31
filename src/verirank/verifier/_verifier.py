"""The verifier: rewards for answers, within a deadline and a memory limit, from any thread."""

from __future__ import annotations

import re
import weakref
from collections.abc import Sequence
from time import perf_counter
from typing import Any, Self

from verirank.config import VerifierConfig
from verirank.verifier._cache import VerdictCache
from verirank.verifier._direct import EQUALITY, MAX_CHARACTERS, decide
from verirank.verifier._pool import UNVERIFIED, WorkerPool
from verirank.verifier._reward import Grader, Reward, judged

Pair = tuple[str, str | None]

_PLAIN = re.compile(r"[+-]?\d+(?:\.\d+)?", re.ASCII)
_SHORT = 200


class Verifier:
    """Decides whether answers are right: by kind, exactly, then by math-verify in workers.

    The processes start at the first pair that needs one and end with `close`. A hostile answer
    costs its own pair a zero. No verdict depends on load: the deadline counts CPU seconds, and a
    pair that a busy machine left undecided is tried once more, after all others. All methods may be
    called from any thread.
    """

    def __init__(self, config: VerifierConfig) -> None:
        self.config = config
        self._pool = WorkerPool(config)
        self._cache = VerdictCache()
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
        return self.verify_many([(gold, prediction)], comparison=comparison)[0]

    def verify_many(self, pairs: Sequence[Pair], *, comparison: str = EQUALITY) -> list[Reward]:
        """Return the rewards of many (gold, prediction) pairs, in their order; see `verify`.

        Equal pairs are checked once; the others run concurrently, one per worker process.
        """
        rewards = self._rewards(list(dict.fromkeys(pairs)), comparison)
        undecided = [pair for pair, reward in rewards.items() if reward.reason == UNVERIFIED]
        rewards |= self._rewards(undecided, comparison)
        return [rewards[pair] for pair in pairs]

    def grade(self, grader: Grader, graded: Sequence[tuple[Any, str]]) -> list[Reward]:
        """Return what a grader gives to many (problem, completion) pairs, in their order.

        Each is called for by itself, in a worker, under the verifier's limits; one that a busy
        machine left undecided once more, after all others.

        Raises:
            RuntimeError: worker processes cannot be started, the grader cannot be loaded, or the
                verifier is closed.
        """
        rewards = self._pool.compare(grader, graded)
        undecided = [n for n, reward in enumerate(rewards) if reward.reason == UNVERIFIED]
        again = self._pool.compare(grader, [graded[n] for n in undecided])
        for n, reward in zip(undecided, again, strict=True):
            rewards[n] = reward
        return rewards

    def close(self) -> None:
        """End the worker processes; the verifier cannot be used afterwards."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _rewards(self, pairs: Sequence[Pair], comparison: str) -> dict[Pair, Reward]:
        """Return the reward of every pair; workers compare what neither code nor cache decides."""
        rewards, costly = dict[Pair, Reward](), list[tuple[str, str]]()
        for gold, prediction in pairs:
            reward = _at_once(gold, prediction, comparison == EQUALITY)
            if reward is None and prediction is not None:
                reward = self._cache.get((comparison, gold, prediction))
                if reward is None:
                    costly.append((gold, prediction))
            if reward is not None:
                rewards[gold, prediction] = reward
        for pair, reward in zip(costly, self._pool.compare(comparison, costly), strict=True):
            self._cache.keep((comparison, *pair), reward)
            rewards[pair] = reward
        return rewards


def _at_once(gold: str, prediction: str | None, by_value: bool) -> Reward | None:
    """Decide what needs no worker: no answer, too long a one, the same text, plain numbers."""
    start = perf_counter()
    if prediction is None or not prediction.strip():
        return judged(False, "no answer", seconds=perf_counter() - start)
    if len(prediction) > MAX_CHARACTERS:
        return judged(False, "too long", seconds=perf_counter() - start)
    is_plain = gold == prediction or (_PLAIN.fullmatch(gold) and _PLAIN.fullmatch(prediction))
    if not (by_value and is_plain and len(gold) < _SHORT):
        return None
    verdict = decide(gold, prediction)
    if verdict is None:
        return None
    return judged(verdict.correct, verdict.reason, verdict.rule, perf_counter() - start)
