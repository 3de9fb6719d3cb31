"""Arms: the runs that differ in nothing but their seed, under the shortest name that tells them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from verirank.config import InputError
from verirank.record import Run
from verirank.report._curve import Curve
from verirank.report._run_index import Reading, RunIndex
from verirank.report._samples import BenchSamples
from verirank.statistics import as_shares, macro_average, macro_shares

Stage = Literal["before", "after"]

AVERAGE = "average"
"""The name under which the mean over a study's benches stands beside them."""
_NOT_THE_ARM = {"seed", "checkpoint", "verifier"}
_NEEDED = ("trainable_parameters", "seconds", "peak_memory_bytes")


@dataclass(frozen=True)
class Arm:
    """One configuration's scored runs, one a seed.

    `label` is the method's name, with the settings that tell it from other arms of that method; the
    settings that most of them have go without saying.
    """

    label: str
    runs: tuple[Run, ...]
    manifests: tuple[dict[str, Any], ...]
    """Every run's manifest, as it was read."""
    samples: dict[str, list[BenchSamples]]
    """Per bench, every run's samples, in the order of the seeds."""
    curves: tuple[Curve, ...]
    """Every run's training."""
    recorded: tuple[dict[str, Any], ...]
    """Every run's eval.json: what it recorded of each bench."""
    settings: dict[str, Any]
    """By dotted key the settings that make the arm: all but the seed and the runs' upkeep."""
    _scores: dict[tuple[str, Stage], NDArray[Any]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _shares: dict[tuple[str, Stage], NDArray[np.float64]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @cached_property
    def method(self) -> str:
        """The method's name."""
        return self.runs[0].method

    @cached_property
    def beside_method(self) -> str:
        """The settings of the arm that are not the method's own, as one text."""
        return repr(sorted((k, v) for k, v in self.settings.items() if not k.startswith("method.")))

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the runs, in their order."""
        return tuple(run.seed for run in self.runs)

    @property
    def averaged(self) -> tuple[str, ...]:
        """The benches that the settings name, if there are several and all were sampled."""
        asked: tuple[str, ...] = tuple(self.settings.get("evaluation.benches", ()))
        return asked if len(asked) > 1 and all(bench in self.samples for bench in asked) else ()

    def entered(self, bench: str) -> bool:
        """Return whether the arm has a score on a bench, or an average over benches."""
        return bool(self.averaged) if bench == AVERAGE else bench in self.samples

    def scores(
        self, bench: str, stage: Stage = "after", seeds: Collection[int] | None = None
    ) -> NDArray[Any]:
        """Return what the statistics take of a bench, by seed in their order, all or some.

        It is which samples are right, or for the average over benches the values of
        `macro_average`; S x P x K.
        """
        if (bench, stage) not in self._scores:
            self._scores[bench, stage] = _read_only(self._all_scores(bench, stage))
        return self._of(seeds, self._scores[bench, stage])

    def shares(
        self, bench: str, stage: Stage = "after", seeds: Collection[int] | None = None
    ) -> NDArray[np.float64]:
        """Return the means of `scores` over each problem's samples; S x P."""
        if (bench, stage) not in self._shares:
            self._shares[bench, stage] = _read_only(self._all_shares(bench, stage))
        return self._of(seeds, self._shares[bench, stage])

    def _of(self, seeds: Collection[int] | None, every: NDArray[Any]) -> NDArray[Any]:
        if seeds is None:
            return every
        wanted = set(seeds)
        kept = [seed in wanted for seed in self.seeds]
        return every if all(kept) else every[kept]

    def _all_scores(self, bench: str, stage: Stage) -> NDArray[Any]:
        if bench == AVERAGE:
            return macro_average([self.scores(one, stage) for one in self.averaged])
        return np.stack([getattr(samples, f"{stage}_PK") for samples in self.samples[bench]])

    def _all_shares(self, bench: str, stage: Stage) -> NDArray[np.float64]:
        if bench == AVERAGE:
            return macro_shares([self.shares(one, stage) for one in self.averaged])
        return as_shares(self.scores(bench, stage))


def _read_only(shared: NDArray[Any]) -> NDArray[Any]:
    shared.setflags(write=False)
    return shared


@dataclass(frozen=True)
class NotScored:
    """A run that has no place in the ranking, and why; `error` is what it recorded of its end."""

    folder: str
    method: str
    seed: int | None
    status: str
    error: str | None
    reason: str

    @classmethod
    def damaged(cls, folder: Path, error: InputError) -> NotScored:
        """Return a run whose files cannot be read, under its folder's name for want of another."""
        return cls(str(folder), folder.name, None, "damaged", None, str(error))

    @property
    def name(self) -> str:
        """The method and the seed, where they are known."""
        return self.method if self.seed is None else f"{self.method}, seed {self.seed}"


@dataclass(frozen=True)
class _Scored:
    """A run that can be scored, and what was read of it."""

    run: Run
    manifest: dict[str, Any]
    reading: Reading


def sort_runs(runs: Iterable[Run], index: RunIndex) -> tuple[list[Arm], list[NotScored]]:
    """Group the runs that can be scored into arms, and give the reason for each that cannot.

    Args:
        runs: all of a study, or any.
        index: knows what was read of runs before, and learns of the others.

    Raises:
        InputError: the runs are of several models, base weights or tasks, or an arm holds a seed
            twice.
    """
    by_settings: dict[str, list[_Scored]] = defaultdict(list)
    not_scored = []
    for run in runs:
        found = _read(run, index)
        if isinstance(found, _Scored):
            by_settings[_of_the_arm(found.reading.settings)].append(found)
        else:
            error = run.manifest.get("error")
            not_scored.append(
                NotScored(str(run.folder), run.method, run.seed, run.status, error, found)
            )
    arms = [sorted(arm, key=lambda scored: scored.run.seed) for arm in by_settings.values()]
    _refuse_mixtures(arms)
    settings = [dict(_flat(json.loads(text))) for text in by_settings]
    labels = _labels([arm[0].run.method for arm in arms], settings)
    found = [_arm(*given) for given in zip(labels, arms, settings, strict=True)]
    return found, not_scored


def _arm(label: str, scored: list[_Scored], settings: dict[str, Any]) -> Arm:
    readings = [run.reading for run in scored]
    shared = [b for b in readings[0].samples if all(b in read.samples for read in readings)]
    return Arm(
        label,
        runs=tuple(run.run for run in scored),
        manifests=tuple(run.manifest for run in scored),
        samples={bench: [read.samples[bench] for read in readings] for bench in shared},
        curves=tuple(read.curve for read in readings),
        recorded=tuple(json.loads(read.recorded) for read in readings),
        settings=settings,
    )


def _read(run: Run, index: RunIndex) -> _Scored | str:
    """Return a run with what was read of it, or why it cannot be scored."""
    manifest = run.manifest
    if manifest.get("status") != "done":
        error = manifest.get("error")
        return f"its status is {run.status}" + (f" ({error})" if error else "")
    if defect := manifest.get("defect"):
        return f"it has the defect {defect!r}, on purpose"
    if failed := run.failed_checks:
        return f"conformance failed: {', '.join(failed)}"
    missing = [key for key in _NEEDED if key not in manifest]
    if missing:
        return f"manifest.json lacks {', '.join(missing)}"
    try:
        reading = index.read(run)
    except (OSError, ValueError) as error:
        return str(error)
    return _Scored(run, manifest, reading) if reading.samples else "it has no evaluation"


@lru_cache(maxsize=4096)
def _of_the_arm(settings: str) -> str:
    """Return a run's settings, which are JSON, without those that make no arm."""
    kept = {k: v for k, v in json.loads(settings).items() if k not in _NOT_THE_ARM}
    return json.dumps(kept, sort_keys=True)


def _refuse_mixtures(arms: list[list[_Scored]]) -> None:
    manifests = [scored.manifest for arm in arms for scored in arm]
    for key in ("model", "task"):
        names = sorted({str(manifest.get(key)) for manifest in manifests})
        if len(names) > 1:
            raise InputError(
                f"these runs are of several {key}s ({', '.join(names)}); report each on its own"
            )
    _refuse_other_weights([scored for arm in arms for scored in arm])
    for arm in arms:
        for one, two in pairwise(scored.run for scored in arm):
            if one.seed == two.seed:
                raise InputError(f"{one.folder} and {two.folder} are the same trial; give one")


def _refuse_other_weights(runs: list[_Scored]) -> None:
    weights = [(scored.run, scored.manifest.get("base_sha256")) for scored in runs]
    for (one, its), (two, others) in pairwise(pair for pair in weights if pair[1]):
        if its != others:
            raise InputError(
                f"{one.folder} and {two.folder} name the same model but started from different "
                "base weights (base_sha256); report each on its own"
            )


def _labels(methods: list[str], settings: list[dict[str, Any]]) -> list[str]:
    by_method: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for method, own in zip(methods, settings, strict=True):
        by_method[method].append(own)
    varied = {method: _varied(namesakes) for method, namesakes in by_method.items()}
    return [_label(m, own, varied[m]) for m, own in zip(methods, settings, strict=True)]


def _varied(namesakes: list[dict[str, Any]]) -> dict[str, str | None]:
    """Return the keys in which a method's arms differ, each with the value that most have."""
    found: dict[str, str | None] = {}
    for key in sorted({key for settings in namesakes for key in settings}):
        values = Counter(str(settings.get(key)) for settings in namesakes)
        usual, times = values.most_common(1)[0]
        if len(values) > 1 and not _follows_from_the_algorithm(key, namesakes):
            found[key] = usual if times > len(namesakes) / 2 else None
    return found


def _label(method: str, own: dict[str, Any], varied: dict[str, str | None]) -> str:
    """Return the method's name, with the settings in which this arm is not as most are."""
    told = [
        _told(key, own.get(key, "default"))
        for key, usual in varied.items()
        if str(own.get(key)) != usual
    ]
    return f"{method} ({', '.join(told)})" if told else method


def _told(key: str, value: Any) -> str:
    return str(value) if key == "algorithm.name" else f"{key.split('.')[-1]} {value}"


def _follows_from_the_algorithm(key: str, namesakes: list[dict[str, Any]]) -> bool:
    """Return whether a setting of the algorithm is told by the algorithm's name already."""
    if not key.startswith("algorithm.") or key == "algorithm.name":
        return False
    pairs = {(str(s.get("algorithm.name")), str(s.get(key))) for s in namesakes}
    return len(pairs) == len({name for name, _ in pairs})


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
