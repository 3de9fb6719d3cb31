"""Verdicts kept for pairs that come again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

_LIMIT = 2**16
_OWED_TO_THE_MOMENT = {"deadline", "crashed"}


Key = tuple[str, str, str]
"""A comparison's name, the gold answer and the prediction."""


class VerdictCache:
    """Remembers the verdicts of the pairs used last; may be called from any thread.

    A verdict that a busy machine may have caused is not kept: the pair is compared anew.
    """

    def __init__(self, compare: Callable[[str, str, str], tuple[bool, str]]) -> None:
        self._compare = compare
        self._verdicts: OrderedDict[Key, tuple[bool, str]] = OrderedDict()
        self._lock = Lock()

    def compare(self, comparison: str, gold: str, prediction: str) -> tuple[bool, str]:
        """Return the verdict and reason of a pair, from memory where it was settled before."""
        key = comparison, gold, prediction
        with self._lock:
            if key in self._verdicts:
                self._verdicts.move_to_end(key)
                return self._verdicts[key]
        verdict = self._compare(*key)
        if verdict[1] not in _OWED_TO_THE_MOMENT:
            self._keep(key, verdict)
        return verdict

    def _keep(self, key: Key, verdict: tuple[bool, str]) -> None:
        with self._lock:
            self._verdicts[key] = verdict
            if len(self._verdicts) > _LIMIT:
                self._verdicts.popitem(last=False)
