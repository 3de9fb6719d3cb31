"""A study's defective trials and controls beside their fair trials, and how both differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from verirank.ranking._leaderboard import Leaderboard
from verirank.record import BenchSamples, Role, Run, TrialEntry, bench_samples, read_trial_list
from verirank.statistics import Interval, accuracies, by_groups, fixed_generator, paired_differences

Key = tuple[str, str]
"""The name of a defect or a control, and the label of the fair trial's arm."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A trial's variant, a defect or a control, beside the fair one, whose arm has the label."""

    entry: TrialEntry
    run: Run
    label: str
    fair: Mapping[str, BenchSamples]
    variant: Mapping[str, BenchSamples]


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


def on_bench(pairs: Iterable[Pair], bench: str) -> dict[Key, list[Pair]]:
    """Return the pairs that have samples of a bench, by variant and arm, in the order given."""
    arms: dict[Key, list[Pair]] = defaultdict(list)
    for pair in pairs:
        if bench in pair.fair:
            arms[str(pair.entry.defect), pair.label].append(pair)
    return arms


def by_group_of(values_SPK: NDArray[Any], groups: Sequence[str] | None) -> NDArray[Any]:
    """Return scores as they are, or where problems have groups their values, S x G x 1."""
    if groups is None:
        return values_SPK
    return by_groups(accuracies(values_SPK), groups)[:, :, None]


def differences(
    one: Sequence[NDArray[Any]],
    other: Sequence[NDArray[Any]],
    kinds: Sequence[Hashable] | None = None,
) -> list[Interval]:
    """Return the mean paired differences of scores S x P x K with their intervals.

    Those of one kind with as many seeds and problems are tested together: the noise of seeds is
    estimated over all of them.
    """
    together: dict[Hashable, list[int]] = defaultdict(list)
    for index, values in enumerate(one):
        together[values.shape[:2], kinds[index] if kinds else None].append(index)
    intervals: dict[int, Interval] = {}
    for indices in together.values():
        both = [(one[index], other[index]) for index in indices]
        tested = paired_differences(both, fixed_generator())
        intervals |= dict(zip(indices, tested, strict=True))
    return [intervals[index] for index in range(len(one))]


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
