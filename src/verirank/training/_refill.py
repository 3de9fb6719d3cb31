"""Filling a batch without waiting: problems are requested ahead, and accepted in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from threading import Lock

from verirank.algorithms import Group
from verirank.processes import Board, any_process, collect, count, rank
from verirank.sampling import Completion, Finished, Order, Reply, Sampler, problems_needed
from verirank.tasks import Problem
from verirank.training._metrics import Clock
from verirank.training._rewards import Rewards

_PATIENCE_SECONDS = 1e-2
_STOP = "stop"


class StepAbandonedError(Exception):
    """A step was given up, before its first update, because the run is to stop."""


class KeepRate:
    """The fraction of groups that an algorithm kept so far; it decides how far ahead to request."""

    def __init__(self) -> None:
        self._kept, self._seen = 0, 0

    def count(self, kept: bool) -> None:
        """Take a group into account."""
        self._kept, self._seen = self._kept + kept, self._seen + 1

    def needed(self, missing: int) -> int:
        """Return how many problems yield so many kept groups with a chance of 90 %."""
        return problems_needed(missing, (self._kept + 1) / (self._seen + 2))


class Intake:
    """The groups of a batch, accepted in the order of the stream whichever is ready first.

    Groups are numbered by their position in the stream from the batch's first. The batch is closed
    by the one with which it has `wanted` groups that are kept, and after
    `most` groups at the latest. Both depend on the groups alone. Of several processes each samples
    every n-th, and knows of the others' groups whether they are kept.
    """

    def __init__(
        self, wanted: int, most: int, rate: KeepRate | None = None, ahead: int | None = None
    ) -> None:
        """Begin a batch.

        Args:
            wanted: kept groups that fill it.
            most: groups that may be sampled for it.
            rate: of the groups kept so far.
            ahead: how many more problems than groups are missing are under way; None for what the
                rate suggests.
        """
        self._wanted, self._most, self._ahead = wanted, most, ahead
        self._rate = rate or KeepRate()
        self._kept: dict[int, bool] = {}
        self._next = rank()
        self.accepted, self.missing = 0, wanted

    @property
    def is_closed(self) -> bool:
        """Whether the batch takes no more groups."""
        return self.missing == 0 or self.accepted == self._most

    @property
    def wants_more(self) -> bool:
        """Whether this process should sample one more group now."""
        missing = self._wanted - sum(self._kept.values())
        if self.is_closed or missing <= 0:
            return False
        ahead = self._rate.needed(missing) if self._ahead is None else missing + self._ahead
        return self._next < min(self._most, len(self._kept) + ahead)

    def request(self) -> int | None:
        """Return the next position that this process samples; None where none is wanted now."""
        if not self.wants_more:
            return None
        index, self._next = self._next, self._next + count()
        return index

    def decide(self, index: int, kept: bool) -> None:
        """Say whether the group at a position is kept; accept all whose turn it is."""
        self._kept[index] = kept
        self._rate.count(kept)
        while not self.is_closed and self.accepted in self._kept:
            self.missing -= self._kept[self.accepted]
            self.accepted += 1


class Grader:
    """Verifies groups in a thread while others are decoded, all that wait at once."""

    def __init__(self, rewards: Rewards) -> None:
        self._rewards = rewards
        self._thread = ThreadPoolExecutor(1)
        self._waiting: list[tuple[int, Problem, list[Completion]]] = []
        self._grading: Future[list[tuple[int, Group]]] | None = None

    def submit(self, index: int, problem: Problem, completions: list[Completion]) -> None:
        """Have a group verified."""
        self._waiting.append((index, problem, completions))

    @property
    def is_busy(self) -> bool:
        """Whether there are groups that have not been returned."""
        return bool(self._waiting) or self._grading is not None

    def graded(self, seconds: float = 0.0) -> list[tuple[int, Group]]:
        """Return the groups that have been verified since, waiting for some so long at most."""
        if self._grading is None and self._waiting:
            waiting, self._waiting = self._waiting, []
            self._grading = self._thread.submit(self._grade, waiting)
        if self._grading is None:
            return []
        wait([self._grading], timeout=seconds)
        if not self._grading.done():
            return []
        groups, self._grading = self._grading.result(), None
        return groups

    def close(self) -> None:
        """Give up what has not been verified."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _grade(
        self, waiting: list[tuple[int, Problem, list[Completion]]]
    ) -> list[tuple[int, Group]]:
        problems = [problem for _, problem, _ in waiting]
        rewards = self._rewards(problems, [completions for _, _, completions in waiting])
        return [
            (index, Group(problem, tuple(completions), tuple(verdicts)))
            for (index, problem, completions), verdicts in zip(waiting, rewards, strict=True)
        ]


class Refill:
    """Samples and verifies the groups of one batch."""

    def __init__(
        self,
        sampler: Sampler,
        grader: Grader,
        intake: Intake,
        order: Callable[[int], tuple[Problem, Order]],
        selects: Callable[[Group], bool],
    ) -> None:
        """Prepare a batch.

        Args:
            sampler: completes prompts.
            grader: verifies completions.
            intake: decides which groups make up the batch.
            order: gives a position's problem, and what is sampled of it.
            selects: says whether a group is kept.
        """
        self._sampler, self._grader, self._intake = sampler, grader, intake
        self._order, self._selects = order, selects
        self._board = Board()
        self._lock = Lock()
        self._problems: dict[int, Problem] = {}
        self._groups: dict[int, Group] = {}
        self._decoding = 0

    def fill(
        self,
        clock: Clock,
        stopping: Callable[[], bool] = lambda: False,
        *,
        longest: int,
        temperature: float,
        stop: str | None,
        reply: Reply | None = None,
    ) -> list[Group]:
        """Return the groups of the batch, kept or not, in the order of the stream.

        Args:
            clock: counts the seconds of sampling, and of verifying what was sampled last.
            stopping: whether to give up.
            longest: tokens of the longest prompt and completion, as far as is known.
            temperature: of the distribution that is drawn from.
            stop: text that ends a completion.
            reply: what is said to one that ends so, see `Sampler.stream`.

        Raises:
            StepAbandonedError: this process, or another, is to stop.
        """
        stopped = False
        turns = self._sampler.stream(
            self._next_order, longest=longest, temperature=temperature, stop=stop, reply=reply
        )
        with closing(turns), closing(self._grader):
            while not self._intake.is_closed and not stopped:
                for index, group in self._turn(turns, clock):
                    self._groups[index] = group
                    kept = self._selects(group)
                    self._decide(index, kept)
                    self._board.post(f"{index} {int(kept)}")
                stopped = self._heard_to_stop(stopping())
        with clock("sample"):  # where a process waits for the others
            if any_process(stopped):
                raise StepAbandonedError
            mine = [(p, g) for p, g in self._groups.items() if p < self._intake.accepted]
            return [group for _, group in sorted(collect(mine), key=lambda item: item[0])]

    def _turn(self, turns: Iterator[list[Finished]], clock: Clock) -> list[tuple[int, Group]]:
        """Decode for a token, or wait for a verdict where nothing is left to decode."""
        if not self._decoding and not self._intake.wants_more and self._grader.is_busy:
            with clock("verify"):
                return self._grader.graded(_PATIENCE_SECONDS)
        with clock("sample"):
            for index, completions in next(turns):
                self._decoding -= 1
                self._grader.submit(index, self._problems.pop(index), completions)
            return self._grader.graded()

    def _next_order(self) -> Order | None:
        with self._lock:
            index = self._intake.request()
            if index is None:
                return None
            self._decoding += 1
            self._problems[index], order = self._order(index)
            return order

    def _decide(self, index: int, kept: bool) -> None:
        with self._lock:
            self._intake.decide(index, kept)

    def _heard_to_stop(self, wish: bool) -> bool:
        """Read what other processes have decided; return whether one is to stop."""
        if wish:
            self._board.post(_STOP)
        for word in self._board.news():
            if word == _STOP:
                wish = True
            else:
                index, kept = map(int, word.split())
                self._decide(index, bool(kept))
        return wish
