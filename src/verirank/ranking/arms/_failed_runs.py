"""What stands for the scores of a run that failed by its own fault; and copies of one run."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

import numpy as np

from verirank.ranking.arms._arm_runs import FailedAs
from verirank.record import BenchSamples, Run, RunContent, RunIndex


class _Scored(Protocol):
    @property
    def run(self) -> Run: ...
    @property
    def content(self) -> RunContent: ...


_AnyScored = TypeVar("_AnyScored", bound=_Scored)
_Bases = Mapping[str, Mapping[int, BenchSamples]]


def base_samples(arms: Iterable[Collection[_Scored]]) -> _Bases:
    """Return by bench and seed the samples of a run that was scored there."""
    samples_of: dict[str, dict[int, BenchSamples]] = defaultdict(dict)
    for arm in arms:
        for scored in arm:
            for bench, samples in scored.content.samples.items():
                samples_of[bench].setdefault(scored.run.seed, samples)
    return samples_of


def failed_content(
    run: Run, index: RunIndex, bases: _Bases, failed_as: FailedAs
) -> RunContent | None:
    """Return the content of a failed run with samples that stand for its own.

    They are the base's of a run with the same seed, or else of any, or all wrong. None where no run
    has the base's samples on the run's benches, or a file of the run is damaged.
    """
    try:
        content = index.read(run)
    except (OSError, ValueError):
        return None
    benches = json.loads(content.settings).get("evaluation", {}).get("benches", ())
    if not benches or not all(bases.get(bench) for bench in benches):
        return None
    samples = {bench: _standing_in(_base(bases[bench], run), failed_as) for bench in benches}
    return replace(content, samples=samples, scores="{}")


def _base(of_seeds: Mapping[int, BenchSamples], run: Run) -> BenchSamples:
    return of_seeds.get(run.seed) or next(iter(of_seeds.values()))


def _standing_in(samples: BenchSamples, failed_as: FailedAs) -> BenchSamples:
    """Return the base's samples as those after training, as many a problem as runs have there."""
    K = samples.after_PK.shape[1]
    as_base_PK = np.resize(samples.before_PK.T, (K, len(samples.before_PK))).T
    after_PK = as_base_PK if failed_as == "base" else np.zeros_like(as_base_PK)
    return replace(samples, after_PK=after_PK)


def without_copies(
    arm: Sequence[_AnyScored],
) -> tuple[list[_AnyScored], list[tuple[_AnyScored, str]]]:
    """Return the runs of an arm that are no copies of another, and the copies with the reason.

    Two seeds never train to the same reward at every step and answer every sample alike. Runs
    without a step tell nothing of that kind.
    """
    kept: dict[bytes, _AnyScored] = {}
    copies = []
    for scored in sorted(arm, key=lambda one: one.run.seed):
        print_ = _fingerprint(scored.content) or str(scored.run.folder).encode()
        first = kept.setdefault(print_, scored)
        if first is not scored and first.run.seed != scored.run.seed:
            why = f"it is a copy of {first.run.folder}: the same reward at every step and the same"
            copies.append((scored, f"{why} answers; train seed {scored.run.seed} itself"))
        elif first is not scored:
            kept[str(scored.run.folder).encode()] = scored
    return list(kept.values()), copies


def _fingerprint(content: RunContent) -> bytes:
    if not len(content.curve.reward_T):
        return b""
    answers = (samples.after_PK.tobytes() for samples in content.samples.values())
    return b"".join([content.curve.reward_T.tobytes(), *answers])
