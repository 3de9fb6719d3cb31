"""How far each defect alone moves each method from its fair score, as a table and a figure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verirank.ranking._leaderboard import Leaderboard
from verirank.record import (
    BenchSamples,
    Role,
    Run,
    TrialEntry,
    bench_samples,
    read_json,
    read_trial_list,
    write_csv,
    write_json,
)
from verirank.statistics import (
    Interval,
    accuracies,
    avg_at_k,
    by_groups,
    holm,
    paired_differences,
    pass_at_k,
)

_JSON, _CSV = "confounds.json", "confounds.csv"
_SEED = 0
_ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Effect:
    """What one defect does to one method on one bench; scores are fractions of 1, means over seeds.

    `difference` is Avg@k with the defect minus the fair one on the same seeds and problems, `low`
    and `high` bound its 95 % interval, and `p_holm` is corrected over all effects on the bench.
    Those of Pass@k begin with `pass_`. `weight_error` and `base_drift`, where the defect has one,
    are relative norms: of what was evaluated to what was trained, and of the live base to where it
    began.
    """

    defect: str
    label: str
    bench: str
    fair_avg_at_k: float
    avg_at_k: float
    difference: float
    low: float
    high: float
    p_holm: float
    fair_pass_at_k: float
    pass_at_k: float
    pass_difference: float
    pass_low: float
    pass_high: float
    pass_p_holm: float
    k: int
    n: int
    seeds: int
    weight_error: float | None
    base_drift: float | None

    @property
    def resolved(self) -> bool:
        """Whether the defect moves the method's Avg@k, at 5 % over all effects of the bench."""
        return self.p_holm <= _ALPHA

    @property
    def pass_resolved(self) -> bool:
        """Whether it moves Pass@k, likewise."""
        return self.pass_p_holm <= _ALPHA


@dataclass(frozen=True, slots=True)
class Confounds:
    """All effects, the main bench's first; and why trials are left out, by their ids."""

    effects: tuple[Effect, ...]
    missing: dict[str, str]

    @property
    def main(self) -> list[Effect]:
        """The effects on the main bench."""
        return [effect for effect in self.effects if effect.bench == self.effects[0].bench]

    def write(self, folder: Path) -> None:
        """Write confounds.json and confounds.csv; without a defective trial there are none."""
        if not self.effects and not self.missing:
            for name in (_JSON, _CSV):
                (folder / name).unlink(missing_ok=True)
            return
        effects = [asdict(effect) for effect in self.effects]
        write_json(folder / _JSON, {"effects": effects, "missing": self.missing})
        write_csv(folder / _CSV, effects)


def read_confounds(folder: Path) -> Confounds | None:
    """Return what `Confounds.write` left in a folder, or None."""
    path = folder / _JSON
    if not path.is_file():
        return None
    content = read_json(path)
    return Confounds(tuple(Effect(**row) for row in content["effects"]), content["missing"])


@dataclass(frozen=True, slots=True)
class Pair:
    """A trial's variant, a defect or a control, beside the fair one, whose arm has the label."""

    entry: TrialEntry
    run: Run
    label: str
    fair: Mapping[str, BenchSamples]
    variant: Mapping[str, BenchSamples]

    @property
    def key(self) -> _Key:
        """The variant's name, and the label."""
        return str(self.entry.defect), self.label


def measure_confounds(folders: Iterable[Path], board: Leaderboard) -> Confounds:
    """Compare every defective trial of the studies in some folders with its fair one.

    Args:
        folders: of studies; others have no defects.
        board: the leaderboard of the same folders, which holds the fair trials.
    """
    pairs, missing = pairs_of(folders, board, ("defective", "rescored"))
    effects = [effect for bench in board.benches for effect in _on_bench(pairs, bench)]
    return Confounds(tuple(effects), {entry.id: why for entry, why in missing})


def pairs_of(
    folders: Iterable[Path], board: Leaderboard, roles: Collection[Role]
) -> tuple[list[Pair], list[tuple[TrialEntry, str]]]:
    """Return the studies' trials of some roles beside their fair ones, and why others have none."""
    pairs, missing = list[Pair](), list[tuple[TrialEntry, str]]()
    fair = _fair_trials(board)
    for folder in folders:
        listed = read_trial_list(folder)
        for entry in listed.entries if listed else ():
            if listed and entry.fair and entry.role in roles:
                pair = _pair(entry, Run(listed.folder(entry)), listed.store / entry.fair, fair)
                if isinstance(pair, Pair):
                    pairs.append(pair)
                else:
                    missing.append((entry, pair))
    return pairs, missing


def _fair_trials(board: Leaderboard) -> dict[Path, tuple[str, dict[str, BenchSamples]]]:
    """Return by a fair run's folder its arm's label, and its samples by bench."""
    return {
        run.folder: (arm.label, {b: arm.samples[b][index] for b in arm.samples})
        for arm in board.arms
        for index, run in enumerate(arm.runs)
        if run.seed not in arm.failed
    }


def _pair(
    entry: TrialEntry,
    run: Run,
    fair: Path,
    scored: Mapping[Path, tuple[str, dict[str, BenchSamples]]],
) -> Pair | str:
    """Return a variant of a trial beside its fair one, or why it is left out."""
    if fair.resolve() not in scored:
        return "the fair trial has no score"
    label, samples = scored[fair.resolve()]
    if run.status != "done":
        return f"its status is {run.status}: {run.manifest.get('error', 'no error')}"
    if run.failed_checks:
        return f"conformance failed: {', '.join(run.failed_checks)}"
    try:
        variant = {bench: bench_samples(run, bench) for bench in samples}
    except (OSError, ValueError) as error:
        return str(error)
    return Pair(entry, run, label, samples, variant)


_Key = tuple[str, str]
"""A defect and an arm's label."""


def _on_bench(pairs: list[Pair], bench: str) -> Iterator[Effect]:
    """Yield the effects on a bench in the order of the pairs."""
    arms: dict[_Key, list[Pair]] = defaultdict(list)
    for pair in pairs:
        if bench in pair.fair:
            arms[pair.key].append(pair)
    samples = {key: _stacked(arm, bench) for key, arm in arms.items()}
    solved = {
        key: tuple(s.max(axis=2, keepdims=True) for s in both) for key, both in samples.items()
    }
    groups = {key: arm[0].fair[bench].groups for key, arm in arms.items()}
    average, passed = (
        _intervals(arms, {key: _by_groups(both, groups[key]) for key, both in scores.items()})
        for scores in (samples, solved)
    )
    for (key, arm), mean, once in zip(
        arms.items(), _corrected(average), _corrected(passed), strict=True
    ):
        spoiled_SPK, fair_SPK = samples[key]
        seeds, n, k = spoiled_SPK.shape
        yield Effect(
            defect=key[0],
            label=key[1],
            bench=bench,
            fair_avg_at_k=_mean([avg_at_k(seed) for seed in fair_SPK]),
            avg_at_k=_mean([avg_at_k(seed) for seed in spoiled_SPK]),
            difference=mean.mean,
            low=mean.low,
            high=mean.high,
            p_holm=mean.p,
            fair_pass_at_k=_mean([pass_at_k(seed, k) for seed in fair_SPK]),
            pass_at_k=_mean([pass_at_k(seed, k) for seed in spoiled_SPK]),
            pass_difference=once.mean,
            pass_low=once.low,
            pass_high=once.high,
            pass_p_holm=once.p,
            k=k,
            n=n,
            seeds=seeds,
            weight_error=_measured(arm, "weight_error"),
            base_drift=_measured(arm, "base_drift"),
        )


def _stacked(arm: list[Pair], bench: str) -> tuple[NDArray[np.bool_], ...]:
    """Return samples with the defect and fair ones, both S x P x K."""
    spoiled = np.stack([pair.variant[bench].after_PK for pair in arm])
    return spoiled, np.stack([pair.fair[bench].after_PK for pair in arm])


def _by_groups(
    both: tuple[NDArray[np.bool_], ...], groups: tuple[str, ...] | None
) -> tuple[NDArray[Any], ...]:
    """Return scores as they are, or where problems have groups their values, S x G x 1."""
    if groups is None:
        return both
    return tuple(by_groups(accuracies(one), groups)[:, :, None] for one in both)


def _intervals(
    arms: Mapping[_Key, list[Pair]], samples: Mapping[_Key, tuple[NDArray[Any], ...]]
) -> list[Interval]:
    """Return each arm's difference; the seeds' noise is told by all of the same kind.

    Trained anew, a pair differs as two runs do; rescored, only as the defect makes it.
    """
    kinds: dict[tuple[Any, ...], list[_Key]] = defaultdict(list)
    for key, arm in arms.items():
        kind = "trained" if arm[0].entry.role == "defective" else key[0]
        kinds[kind, samples[key][0].shape[:2]].append(key)
    by_key: dict[_Key, Interval] = {}
    for keys in kinds.values():
        pairs = [(samples[key][0], samples[key][1]) for key in keys]
        differences = paired_differences(pairs, np.random.default_rng(_SEED))
        by_key |= dict(zip(keys, differences, strict=True))
    return [by_key[key] for key in arms]


def _corrected(intervals: list[Interval]) -> list[Interval]:
    """Return the intervals with Holm's p-values over all of them."""
    adjusted = holm([interval.p for interval in intervals]).tolist() if intervals else []
    return [replace(one, p=p) for one, p in zip(intervals, adjusted, strict=True)]


def _measured(arm: list[Pair], name: str) -> float | None:
    recorded = [pair.run.manifest.get("defect_effect", {}).get(name) for pair in arm]
    known = [value for value in recorded if value is not None]
    return _mean(known) if known else None


def _mean(values: list[float]) -> float:
    return float(np.mean(values))
