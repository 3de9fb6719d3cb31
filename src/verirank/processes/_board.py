"""What the processes of a group tell each other while none of them waits."""

from __future__ import annotations

from itertools import count as numbers
from typing import Any

import torch.distributed as dist

from verirank.processes._group import count, rank

_NUMBERS = numbers()


class Board:
    """Words that every process has posted, to be read by the others when they have time.

    All processes begin their boards in the same order. One process alone reads nothing.
    """

    def __init__(self) -> None:
        """Begin an empty board."""
        self._name = f"board-{next(_NUMBERS)}"
        self._posted = 0
        self._read = {other: 0 for other in range(count()) if other != rank()}
        # The one that the processes met by: another would need a port of its own.
        group: Any = dist.distributed_c10d
        self._store = group._get_default_store() if self._read else None

    def post(self, word: str) -> None:
        """Let the others read a word."""
        if self._store is not None:
            self._store.set(f"{self._name}/{rank()}/{self._posted}", word)
            self._posted += 1

    def news(self) -> list[str]:
        """Return what the others have posted since the last time, those of each in order."""
        words: list[str] = []
        for other in self._read:
            while self._store is not None:
                key = f"{self._name}/{other}/{self._read[other]}"
                if not self._store.check([key]):
                    break
                words.append(self._store.get(key).decode())
                self._read[other] += 1
        return words
