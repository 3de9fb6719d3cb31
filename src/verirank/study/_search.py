"""The fair protocol's search: every arm tries as many learning rates, by the same rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verirank.config import TrialConfig
from verirank.record import DamagedError, Run, correct_PK, problem_groups, read_stages
from verirank.statistics import SearchNoise, accuracies, by_groups
from verirank.study._arm import Arm
from verirank.study._definition import SearchConfig
from verirank.study._narrowing import Decision, Known, decide, learning_rates, rungs
from verirank.study._search_record import write_search
from verirank.trial import Rung, Store, failed_for_good, trial_id

RULE = (
    "Each method is trained at {n} learning rates, spaced evenly in log over a factor of {span:g} "
    "around its prior, with {seeds}, which {are} not ranked. Scores are Avg@k on the bench "
    "{bench!r}, which is not ranked either. {narrowing} A rate that fails with one seed goes no "
    "further. At the last step a parabola over log rate through the best rate and those beside it "
    "gives the rate, a quarter of the way to the next one at most, of which fresh seeds are "
    "trained from scratch. A point on this bench is taken for a point on the ranked ones."
)
_NARROWING = (
    "After {rungs} steps, but not before the final phase of a method's own schedule, rates that "
    "are surely worse than the best are dropped (paired over seeds and problems, corrected by Holm "
    "over all pairs), save those beside the best."
)
_NO_NARROWING = "Every learning rate was trained to the end and none was dropped."
_COLUMNS = ("problem", "sample", "correct")
Execute = Callable[[Sequence[TrialConfig], Rung], None]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The learning rates that won, and why the other arms have none, both by the arm's name.

    `undecided` names those of the failures that resuming the study may still decide. `noise` is
    what the searches add to the noise of the arms' means.
    """

    winners: dict[str, float]
    failures: dict[str, str]
    undecided: frozenset[str]
    noise: SearchNoise


def search_trials(arm: Arm, search: SearchConfig) -> dict[tuple[float, int], TrialConfig]:
    """Return an arm's trials of the search by rate and seed, rates nearest to the prior first."""
    rates = learning_rates(arm.learning_rate, search)
    return {(rate, seed): arm.trial(seed, rate) for rate in rates for seed in search.seeds}


@dataclass
class ArmSearch:
    """The search of one arm: its trials, what is known of each, and what follows from that."""

    arm: Arm
    search: SearchConfig
    store: Store
    ranked_seed: int
    undecided: str | None = None
    trials: dict[tuple[float, int], TrialConfig] = field(init=False)
    known: dict[float, dict[int, Known]] = field(init=False)
    decision: Decision = field(init=False)

    def __post_init__(self) -> None:
        self.trials = search_trials(self.arm, self.search)
        self.known = {rate: {} for rate, _ in self.trials}
        for rate, seed in self.trials:
            self.known[rate][seed] = Known()
        self._decide()

    def _decide(self) -> None:
        self.decision = decide(self.known, rungs(self.arm, self.search))

    @property
    def variance(self) -> float | None:
        """The variance between searches; None where not even two rates came to the end."""
        final = self.decision.final
        alone = final is not None and len(final.finalists) < min(2, len(self.known))
        return None if final is None or alone else final.search_variance()

    @property
    def failure(self) -> str | None:
        """Why the arm has no winner; None where it has one or the search goes on."""
        if self.undecided or self.decision.trials or self.decision.winner is not None:
            return self.undecided
        trials = [one for seeds in self.known.values() for one in seeds.values()]
        errors = "; ".join(sorted({one.error for one in trials if one.error}))
        return f"no learning rate came to its end: {errors}"

    def next_steps(self) -> int | None:
        """Return the rung that the arm's trials go to next; None where nothing is left to run."""
        return self.decision.steps if self.decision.trials and not self.undecided else None

    def read(self) -> None:
        """Read what came of the trials that were to be run, and decide what follows."""
        for rate, seed in self.decision.trials:
            fault = self._read(rate, seed, self.decision.steps)
            if fault:
                self.undecided = (
                    f"undecided until resumed, at rate {rate:g} with seed {seed}: {fault}"
                )
                return
        self._decide()

    def _read(self, rate: float, seed: int, steps: int) -> str | None:
        """Read one trial; return the fault of the machine that left it without a score."""
        run, known = Run(self._folder(rate, seed)), self.known[rate][seed]
        try:
            if run.selection.get(str(steps)) is not None:
                known.values_P[steps] = _values_P(run, steps)
                return None
            manifest = run.manifest
        except DamagedError as error:
            return str(error)
        if not failed_for_good(manifest):
            return manifest.get("error", "it did not come to its score")
        known.error = str(manifest.get("error"))
        return None

    def _folder(self, rate: float, seed: int) -> Path:
        return self.store.search_trial(self.trials[rate, seed], self.search)

    def record(self, *, is_final: bool) -> dict[str, Any]:
        """Return the arm's part of search.json; its outcome only once the search is over."""
        decision = self.decision
        winner = decision.winner if is_final and not self.undecided else None
        final = decision.final if winner is not None else None
        ranked = None if winner is None else trial_id(self.arm.trial(self.ranked_seed, winner))
        rates = sorted(self.known)
        return {
            "id": self.arm.name,
            "method": self.arm.method,
            "prior": self.arm.learning_rate,
            "winner": winner,
            "best_trained": final.best if final else winner,
            "variance": self.variance if final else None,
            "ranked": ranked,
            "failure": self.failure if is_final else None,
            "at_edge": final is not None and final.best in (rates[0], rates[-1]) and len(rates) > 1,
            "rungs": rungs(self.arm, self.search),
            "steps": sum(
                max(one.values_P, default=0)
                for seeds in self.known.values()
                for one in seeds.values()
            ),
            "trials": [
                self._trial_record(rate, seed) for rate in rates for seed in self.search.seeds
            ],
        }

    def _trial_record(self, rate: float, seed: int) -> dict[str, Any]:
        known = self.known[rate][seed]
        return {
            "folder": self._folder(rate, seed).name,
            "learning_rate": rate,
            "seed": seed,
            "scores": {str(at): float(v_P.mean()) for at, v_P in sorted(known.values_P.items())},
            "pruned_at": None if known.error else self.decision.dropped.get(rate),
            "error": known.error,
        }


def search_rates(
    arms: Sequence[Arm],
    search: SearchConfig,
    ranked_seed: int,
    store: Store,
    out: Path,
    execute: Execute,
) -> SearchResult:
    """Search every arm's learning rate on the selection bench.

    The runs' records are the only memory: a search that is resumed takes the same decisions again
    from the same scores. Where the machine failed a trial, its arm stays undecided until the study
    is resumed. Writes OUT/search.json after every rung and at the end.

    Args:
        arms: at their priors.
        search: the budget.
        ranked_seed: the first seed that is ranked at the rate that wins.
        store: holds the trials.
        out: the study's folder.
        execute: trains trials to a rung; it leaves those that are there alone.
    """
    searches = [ArmSearch(arm, search, store, ranked_seed) for arm in arms]
    while going := {one.arm.name: at for one in searches if (at := one.next_steps()) is not None}:
        steps = min(going.values())
        batch = [one for one in searches if going.get(one.arm.name) == steps]
        execute(
            [one.trials[key] for one in batch for key in one.decision.trials],
            Rung(steps, search.bench),
        )
        for one in batch:
            one.read()
        write_search(out, _content(searches, search, is_final=False), is_final=False)
    write_search(out, _content(searches, search, is_final=True), is_final=True)
    winners = {one.arm.name: one.decision.winner for one in searches if not one.failure}
    return SearchResult(
        winners={name: rate for name, rate in winners.items() if rate is not None},
        failures={one.arm.name: one.failure for one in searches if one.failure},
        undecided=frozenset(one.arm.name for one in searches if one.undecided),
        noise=SearchNoise.pooled(
            {one.arm.name: one.variance for one in searches if not one.failure},
            len(search.seeds) - 1,
        ),
    )


def _content(
    searches: Sequence[ArmSearch], search: SearchConfig, *, is_final: bool
) -> dict[str, Any]:
    """Return search.json: the rule, and per arm every trial with its scores and its end."""
    early = sorted({at for one in searches for at in rungs(one.arm, search)[:-1]})
    listed = ", ".join(map(str, early))
    many = len(search.seeds) > 1
    rule = RULE.format(
        n=search.learning_rates,
        span=search.span,
        seeds=f"seed{'s' * many} {', '.join(map(str, search.seeds))}",
        are="are" if many else "is",
        bench=search.bench,
        narrowing=_NARROWING.format(rungs=listed) if early else _NO_NARROWING,
    )
    arms = [one.record(is_final=is_final) for one in searches]
    return {"rule": rule, "bench": search.bench, "arms": arms}


def _values_P(run: Run, steps: int) -> NDArray[np.float64]:
    """Return the fraction of right samples of each problem that a trial had after so many steps.

    Where problems have groups, each group's value stands there (`by_group`).

    Raises:
        DamagedError: the file of these samples is damaged or missing.
    """
    file = run.selection_file(steps)
    try:
        (samples,) = read_stages(file, ["after"], _COLUMNS, ("group",))
        return by_groups(accuracies(correct_PK(samples)[None]), problem_groups(samples))[0]
    except (OSError, ValueError) as error:
        hint = "without its folder the trial is run again"
        raise DamagedError(f"{file}: {error}; {hint}") from None
