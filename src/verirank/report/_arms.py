"""Arms: the runs that differ in nothing but their seed, under the shortest name that tells them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from verirank.config import InputError
from verirank.record import Run
from verirank.report._sample_index import SampleIndex
from verirank.report._samples import BenchSamples, bench_samples

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
    samples: dict[str, list[BenchSamples]]
    """Per bench, every run's samples, in the order of the seeds."""

    @property
    def method(self) -> str:
        """The method's name."""
        return self.runs[0].method


@dataclass(frozen=True)
class NotScored:
    """A run that has no place in the ranking, and why."""

    folder: str
    method: str
    seed: int
    status: str
    reason: str


@dataclass(frozen=True)
class _Scored:
    """A run that can be scored, with its samples by bench."""

    run: Run
    samples: dict[str, BenchSamples]


def sort_runs(runs: Iterable[Run], index: SampleIndex) -> tuple[list[Arm], list[NotScored]]:
    """Group the runs that can be scored into arms, and give the reason for each that cannot.

    Args:
        runs: all of a study, or any.
        index: knows the samples of files that were read before, and learns the others.

    Raises:
        InputError: the runs are of several models, base weights or tasks, or an arm holds a seed
            twice.
    """
    by_settings: dict[str, list[_Scored]] = defaultdict(list)
    not_scored = []
    for run in runs:
        found = _read(run, index)
        if isinstance(found, _Scored):
            settings = json.dumps(_settings(run), sort_keys=True, default=str)
            by_settings[settings].append(found)
        else:
            not_scored.append(NotScored(str(run.folder), run.method, run.seed, run.status, found))
    arms = [sorted(arm, key=lambda scored: scored.run.seed) for arm in by_settings.values()]
    _refuse_mixtures([[scored.run for scored in arm] for arm in arms])
    labels = _labels([arm[0].run for arm in arms])
    return [_arm(label, arm) for label, arm in zip(labels, arms, strict=True)], not_scored


def _arm(label: str, scored: list[_Scored]) -> Arm:
    shared = [b for b in scored[0].samples if all(b in run.samples for run in scored)]
    samples = {bench: [run.samples[bench] for run in scored] for bench in shared}
    return Arm(label, tuple(run.run for run in scored), samples)


def arm_settings(run: Run) -> dict[str, Any]:
    """Return by dotted key the settings that make a run's arm: all but its seed and its upkeep."""
    return dict(_flat(_settings(run)))


def _read(run: Run, index: SampleIndex) -> _Scored | str:
    """Return a run with its samples, or why it cannot be scored."""
    if run.status != "done":
        error = run.manifest.get("error")
        return f"its status is {run.status}" + (f" ({error})" if error else "")
    if run.failed_checks:
        return f"conformance failed: {', '.join(run.failed_checks)}"
    manifest = run.manifest
    missing = [key for key in _NEEDED if key not in manifest]
    if missing:
        return f"manifest.json lacks {', '.join(missing)}"
    if not run.benches:
        return "it has no evaluation"
    try:
        return _Scored(run, {bench: _samples(run, bench, index) for bench in run.benches})
    except (OSError, ValueError) as error:
        return str(error)


def _samples(run: Run, bench: str, index: SampleIndex) -> BenchSamples:
    file = run.bench_file(bench)
    samples = index.get(file)
    if samples is None:
        samples = bench_samples(run, bench)
        index.put(file, samples)
    return samples


def _settings(run: Run) -> dict[str, Any]:
    return {key: value for key, value in run.settings.items() if key not in _NOT_THE_ARM}


def _refuse_mixtures(arms: list[list[Run]]) -> None:
    for key in ("model", "task"):
        names = sorted({str(run.manifest.get(key)) for arm in arms for run in arm})
        if len(names) > 1:
            raise InputError(
                f"these runs are of several {key}s ({', '.join(names)}); report each on its own"
            )
    _refuse_other_weights([run for arm in arms for run in arm])
    for arm in arms:
        for one, two in pairwise(arm):
            if one.seed == two.seed:
                raise InputError(f"{one.folder} and {two.folder} are the same trial; give one")


def _refuse_other_weights(runs: list[Run]) -> None:
    recorded = [run for run in runs if run.manifest.get("base_sha256")]
    for one, two in pairwise(recorded):
        if one.manifest["base_sha256"] != two.manifest["base_sha256"]:
            raise InputError(
                f"{one.folder} and {two.folder} name the same model but started from different "
                "base weights (base_sha256); report each on its own"
            )


def _labels(firsts: list[Run]) -> list[str]:
    by_method: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for run in firsts:
        by_method[run.method].append(arm_settings(run))
    return [_label(run.method, arm_settings(run), by_method[run.method]) for run in firsts]


def _label(method: str, own: dict[str, Any], namesakes: list[dict[str, Any]]) -> str:
    """Return the method's name, with the settings in which this arm is not as most are."""
    told = []
    for key in sorted({key for settings in namesakes for key in settings}):
        values = [str(settings.get(key)) for settings in namesakes]
        usual, times = Counter(values).most_common(1)[0]
        is_usual = str(own.get(key)) == usual and times > len(values) / 2
        if not is_usual and not _follows_from_the_algorithm(key, namesakes):
            told.append(_told(key, own.get(key, "default")))
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
