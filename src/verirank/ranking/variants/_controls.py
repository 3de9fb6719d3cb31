"""How much of a method's gain a control explains: random rewards, the form alone, no signal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verirank.ranking._leaderboard import Leaderboard
from verirank.ranking.arms import Stage
from verirank.ranking.variants._pairs import Pair, by_group_of, differences, on_bench, pairs_of
from verirank.record import BenchSamples, write_table
from verirank.statistics import Ratio, accuracies, fixed_generator, ratio_of_means


@dataclass(frozen=True, slots=True)
class Explained:
    """What a control gains where a method gained `gain`; fractions of 1, means over seeds.

    `control_gain` is the control's Avg@k minus the base's on the same problems, `rest` the method's
    minus the control's on the same problems and seeds: what right answers alone explain. Each has a
    95 % interval, `low` and `high`, over problems, samples and seeds. `explained` is
    control_gain / gain, with a 95 % interval over the same resamples; all three are None where the
    method's gain is not proven, or its own interval holds 0, for then they mean nothing.
    """

    control: str
    label: str
    bench: str
    base_avg_at_k: float
    avg_at_k: float
    control_avg_at_k: float
    gain: float
    control_gain: float
    control_gain_low: float
    control_gain_high: float
    rest: float
    rest_low: float
    rest_high: float
    explained: float | None
    explained_low: float | None
    explained_high: float | None
    seeds: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A control that is held against nothing, by its trial's id, and why."""

    id: str
    control: str
    method: str
    seed: int
    reason: str


@dataclass(frozen=True, slots=True)
class Controls:
    """All controls, the main bench's first, and the trials that are left out."""

    rows: tuple[Explained, ...]
    missing: tuple[LeftOut, ...]

    @property
    def main(self) -> list[Explained]:
        """The controls on the main bench."""
        return [row for row in self.rows if row.bench == self.rows[0].bench]

    def write(self, folder: Path) -> None:
        """Write controls.json and controls.csv; without a control there are none."""
        rows = [asdict(row) for row in self.rows]
        content = {"controls": rows, "missing": [asdict(one) for one in self.missing]}
        write_table(folder, "controls", content if rows or self.missing else None, rows)


def measure_controls(folders: Iterable[Path], board: Leaderboard) -> Controls:
    """Hold every control of the studies in some folders against the method that it belongs to.

    Args:
        folders: of studies; others have no controls.
        board: the leaderboard of the same folders, which holds the fair trials.
    """
    pairs, missing = pairs_of(folders, board, ("control",))
    rows = [row for bench in board.sampled for row in _on_bench(pairs, bench, board)]
    left_out = (LeftOut(e.id, str(e.defect), e.method, e.seed, why) for e, why in missing)
    return Controls(tuple(rows), tuple(left_out))


def _on_bench(pairs: list[Pair], bench: str, board: Leaderboard) -> Iterator[Explained]:
    held = on_bench(pairs, bench)
    taught = [_values([p.variant[bench] for p in each], "after") for each in held.values()]
    base = [_values([p.variant[bench] for p in each], "before") for each in held.values()]
    fair = [_values([p.fair[bench] for p in each], "after") for each in held.values()]
    wholes = differences(fair, base)
    gains, rests = differences(taught, base), differences(fair, taught)
    for (control, label), each, own, was, best, whole, gain, rest in zip(
        held, held.values(), taught, base, fair, wholes, gains, rests, strict=True
    ):
        row = board.other(label, bench)
        is_proven = bool(row and row.gained and whole.low > 0)
        explained = _explained_fraction(own, was, best) if is_proven else None
        yield Explained(
            control=control,
            label=label,
            bench=bench,
            base_avg_at_k=float(was.mean()),
            avg_at_k=float(best.mean()),
            control_avg_at_k=float(own.mean()),
            gain=whole.mean,
            control_gain=gain.mean,
            control_gain_low=gain.low,
            control_gain_high=gain.high,
            rest=rest.mean,
            rest_low=rest.low,
            rest_high=rest.high,
            explained=explained and explained.ratio,
            explained_low=explained and explained.low,
            explained_high=explained and explained.high,
            seeds=len(each),
        )


def _values(samples: list[BenchSamples], stage: Stage) -> NDArray[Any]:
    """Return scores of a bench, S x P x K, or the values of groups of problems, S x G x 1."""
    stacked = np.stack([getattr(one, f"{stage}_PK") for one in samples])
    return by_group_of(stacked, samples[0].groups)


def _explained_fraction(own: NDArray[Any], was: NDArray[Any], best: NDArray[Any]) -> Ratio:
    """Return the fraction of a gain that a control explains."""
    own_SP, was_SP, best_SP = map(accuracies, (own, was, best))
    return ratio_of_means(own_SP - was_SP, best_SP - was_SP, fixed_generator())
