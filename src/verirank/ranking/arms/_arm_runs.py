"""The runs of one arm: their scores, curves and settings."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from verirank.config import InputError, load_plugin
from verirank.record import BenchSamples, Curve, Run
from verirank.statistics import accuracies, by_groups, macro_accuracies, macro_average

Stage = Literal["before", "after"]
FailedAs = Literal["base", "zero"]
"""What a run that failed by its own fault scores: as the base does, or 0."""

AVERAGE = "average"
"""Name of the pseudo-bench that holds the mean over a study's benches."""


@dataclass(frozen=True)
class ArmRuns:
    """The scored runs of one arm, one per seed.

    `label` is the method's name, followed by the settings in which the arm differs from most
    other arms of that method.
    """

    label: str
    runs: tuple[Run, ...]
    manifests: tuple[dict[str, Any], ...]
    """Each run's manifest."""
    samples: dict[str, list[BenchSamples]]
    """Each run's samples by bench, ordered by seed."""
    curves: tuple[Curve, ...]
    """Each run's training curve."""
    evaluations: tuple[dict[str, Any], ...]
    """Each run's eval.json."""
    settings: dict[str, Any]
    """The settings that define the arm, by dotted key, without the seed."""
    failed: tuple[int, ...] = ()
    """Seeds of runs that failed by their own fault; `samples` has what stands for their scores."""
    failed_as: FailedAs = "base"
    """What stands for the scores of failed runs."""
    lost: tuple[int, ...] = ()
    """Seeds that are still to come, or that the machine lost."""
    _scores: dict[tuple[str, Stage], NDArray[Any]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _problem_means: dict[tuple[str, Stage], NDArray[np.float64]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @cached_property
    def method(self) -> str:
        """The method's name."""
        return self.runs[0].method

    @cached_property
    def family(self) -> str:
        """The method's family from the manifest, or else from the installed method."""
        recorded = self.manifests[0].get("family")
        if recorded:
            return str(recorded)
        try:
            return str(load_plugin("method", self.method).family)
        except InputError:
            # The package that provides this method is not installed here.
            return "other"

    @cached_property
    def other_settings(self) -> str:
        """The settings outside `method.*`, as text that can be compared."""
        return repr(sorted((k, v) for k, v in self.settings.items() if not k.startswith("method.")))

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the runs, ascending."""
        return tuple(run.seed for run in self.runs)

    @cached_property
    def costs(self) -> tuple[dict[str, Any], ...]:
        """The manifests that tell the arm's costs: of the runs that did not fail, or else all."""
        rows = zip(self.seeds, self.manifests, strict=True)
        done = tuple(manifest for seed, manifest in rows if seed not in self.failed)
        return done or self.manifests

    @property
    def averaged(self) -> tuple[str, ...]:
        """The benches that the arm's average covers; empty if it has fewer than two."""
        benches: tuple[str, ...] = tuple(self.settings.get("evaluation.benches", ()))
        is_complete = len(benches) > 1 and all(bench in self.samples for bench in benches)
        return benches if is_complete else ()

    def has_bench(self, bench: str) -> bool:
        """Return whether the arm has a score on a bench, or on the average over benches."""
        return bool(self.averaged) if bench == AVERAGE else bench in self.samples

    def groups(self, bench: str) -> tuple[str, ...] | None:
        """Return the group of each problem of a sampled bench; None where problems have none."""
        return self.samples[bench][0].groups

    def scores(
        self, bench: str, stage: Stage = "after", seeds: Collection[int] | None = None
    ) -> NDArray[Any]:
        """Return the scores on a bench for all or some seeds, S x P x K.

        Scores are booleans, true for a correct sample. On the average over benches they are the
        values of `macro_average`.
        """
        if (bench, stage) not in self._scores:
            self._scores[bench, stage] = _read_only(self._all_scores(bench, stage))
        return self._select_seeds(seeds, self._scores[bench, stage])

    def problem_means(
        self, bench: str, stage: Stage = "after", seeds: Collection[int] | None = None
    ) -> NDArray[np.float64]:
        """Return the means of `scores` over each problem's samples, S x P.

        Where problems have groups, each group's value stands there (`by_group`), S x G.
        """
        if (bench, stage) not in self._problem_means:
            self._problem_means[bench, stage] = _read_only(self._all_problem_means(bench, stage))
        return self._select_seeds(seeds, self._problem_means[bench, stage])

    def _select_seeds(self, seeds: Collection[int] | None, values: NDArray[Any]) -> NDArray[Any]:
        if seeds is None:
            return values
        selected = [seed in set(seeds) for seed in self.seeds]
        return values if all(selected) else values[selected]

    def _all_scores(self, bench: str, stage: Stage) -> NDArray[Any]:
        if bench == AVERAGE:
            return macro_average([self.scores(bench, stage) for bench in self.averaged])
        return np.stack([getattr(samples, f"{stage}_PK") for samples in self.samples[bench]])

    def _all_problem_means(self, bench: str, stage: Stage) -> NDArray[np.float64]:
        if bench == AVERAGE:
            return macro_accuracies([self.problem_means(bench, stage) for bench in self.averaged])
        return by_groups(accuracies(self.scores(bench, stage)), self.groups(bench))


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array
