"""Verdicts kept for pairs that come again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

_LIMIT = 2**16
_OWED_TO_THE_MOMENT = {"deadline", "crashed"}


class VerdictCache:
    """Remembers the verdicts of the pairs used last; may be called from any thread.

    A verdict that a busy machine may have caused is not kept: the pair is compared anew.
    """

    def __init__(self, compare: Callable[[str, str], tuple[bool, str]]) -> None:
        self._compare = compare
        self._verdicts: OrderedDict[tuple[str, str], tuple[bool, str]] = OrderedDict()
        self._lock = Lock()

    def compare(self, gold: str, prediction: str) -> tuple[bool, str]:
        """Return the verdict and reason of a pair, from memory where it was settled before."""
        pair = gold, prediction
        with self._lock:
            if pair in self._verdicts:
                self._verdicts.move_to_end(pair)
                return self._verdicts[pair]
        verdict = self._compare(gold, prediction)
        if verdict[1] not in _OWED_TO_THE_MOMENT:
            self._keep(pair, verdict)
        return verdict

    def _keep(self, pair: tuple[str, str], verdict: tuple[bool, str]) -> None:
        with self._lock:
            self._verdicts[pair] = verdict
            if len(self._verdicts) > _LIMIT:
                self._verdicts.popitem(last=False)
