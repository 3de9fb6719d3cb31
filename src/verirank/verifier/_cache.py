"""Rewards kept for pairs that come again."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from verirank.verifier._pool import UNVERIFIED
from verirank.verifier._reward import Reward

_LIMIT = 2**16
_OWED_TO_THE_MOMENT = {UNVERIFIED, "crashed"}


Key = tuple[str, str, str]
"""A comparison's name, the gold answer and the prediction."""


class VerdictCache:
    """Remembers the rewards of the pairs used last; may be used from any thread."""

    def __init__(self) -> None:
        self._rewards: OrderedDict[Key, Reward] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key) -> Reward | None:
        """Return the reward of a pair, where it was settled before."""
        with self._lock:
            if key in self._rewards:
                self._rewards.move_to_end(key)
            return self._rewards.get(key)

    def keep(self, key: Key, reward: Reward) -> None:
        """Remember a reward, unless a busy machine may have caused it."""
        if reward.reason in _OWED_TO_THE_MOMENT:
            return
        with self._lock:
            self._rewards[key] = reward
            if len(self._rewards) > _LIMIT:
                self._rewards.popitem(last=False)
