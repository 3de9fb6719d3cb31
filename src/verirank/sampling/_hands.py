"""Batches decoded at the same time by threads, each with a part of the orders."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from threading import Event, Lock
from typing import Any, Generic, TypeVar

import torch

from verirank.sampling._completion import Finished, Order, Orders

IDLE_SECONDS = 1e-3
_TURN_SECONDS = 1e-2
_ENOUGH = 32
"""Samples of a hand from which on another one beside it is worth its while."""


Samples = TypeVar("Samples")


class Dispatch(Generic[Samples]):
    """Shares orders: one hand has them until it has enough samples, then the one with the fewest.

    Operations of few samples are so short that two hands mostly wait for each other. Where a few
    are left, the first hand therefore takes over those of another.
    """

    def __init__(self, orders: Orders, hands: int, enough: int) -> None:
        self._orders, self._enough = orders, enough
        self._loads = [0] * hands
        self._given: list[tuple[int, Samples]] = []
        self._lock = Lock()

    def take(self, hand: int, load: int) -> Order | None:
        """Return an order for a hand, or None where there is none now, or another hand's turn.

        Args:
            hand: which one asks.
            load: how many samples it has under way.
        """
        with self._lock:
            self._loads[hand] = load
            few = (other for other, has in enumerate(self._loads) if has < self._enough)
            turn = next(few, None)
            if turn != hand if turn is not None else load > min(self._loads):
                return None
            order = self._orders()
            if order is not None:
                self._loads[hand] += len(order.seeds)
            return order

    def may_give(self, hand: int, load: int) -> bool:
        """Return whether a hand's samples are so few that the first one should continue them."""
        with self._lock:
            return hand > 0 and load > 0 and self._loads[0] + load <= self._enough

    def give(self, samples: Samples, load: int) -> None:
        """Leave samples to the first hand."""
        with self._lock:
            self._loads[0] += load
            self._given.append((load, samples))

    def given(self, hand: int, free: int) -> Samples | None:
        """Return samples that a hand with so much room is to continue."""
        with self._lock:
            if hand or not self._given or self._given[0][0] > free:
                return None
            return self._given.pop(0)[1]


Hand = Callable[[Dispatch[Any], int], Iterator[list[Finished]]]


def side_by_side(decode: Hand, orders: Orders, hands: int, slots: int) -> Generator[list[Finished]]:
    """Let hands decode at the same time, with equal parts of the threads of this process.

    A token takes many small operations. They are over before a second thread has woken up, so
    several threads for one operation gain little; threads that each have a batch gain nearly all,
    unless the model is very small.

    Args:
        decode: yields what a hand has finished, a turn at a time, for ever.
        orders: gives the next order; called by any thread, but one at a time.
        hands: how many.
        slots: samples that each hand can have under way.
    """
    dispatch = Dispatch[Any](orders, hands, min(_ENOUGH, slots))
    if hands == 1:
        yield from decode(dispatch, 0)
        return
    made, stopped = SimpleQueue[Finished](), Event()

    def work(hand: int) -> None:
        torch.set_num_threads(max(1, threads // hands))
        for finished in decode(dispatch, hand):
            for one in finished:
                made.put(one)
            if stopped.is_set():
                return

    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(hands) as pool:
            try:
                working = [pool.submit(work, hand) for hand in range(hands)]
                while True:
                    for hand in working:
                        if hand.done():
                            hand.result()
                    try:
                        yield [made.get(timeout=_TURN_SECONDS)]
                    except Empty:
                        yield []
            finally:
                stopped.set()  # after an error or at the end nobody waits for what others write
    finally:
        torch.set_num_threads(threads)  # of threads to come, for which the hands set their own
