"""Judgements kept for pairs that come again."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from verirank.verifier._pool import UNVERIFIED, Judgement

_LIMIT = 2**16
_OWED_TO_THE_MOMENT = {UNVERIFIED, "crashed"}


Key = tuple[str, str, str]
"""A comparison's name, the gold answer and the prediction."""


class VerdictCache:
    """Remembers the judgements of the pairs used last; may be used from any thread."""

    def __init__(self) -> None:
        self._judgements: OrderedDict[Key, Judgement] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key) -> Judgement | None:
        """Return the judgement of a pair, where it was settled before."""
        with self._lock:
            if key in self._judgements:
                self._judgements.move_to_end(key)
            return self._judgements.get(key)

    def keep(self, key: Key, judgement: Judgement) -> None:
        """Remember a judgement, unless a busy machine may have caused it."""
        if judgement.reason in _OWED_TO_THE_MOMENT:
            return
        with self._lock:
            self._judgements[key] = judgement
            if len(self._judgements) > _LIMIT:
                self._judgements.popitem(last=False)
