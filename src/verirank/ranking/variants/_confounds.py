"""How far each defect alone moves each method from its fair score, as a table and a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from verirank.ranking._leaderboard import Leaderboard
from verirank.ranking.variants._pairs import Pair, by_group_of, differences, on_bench, pairs_of
from verirank.record import read_json, write_table
from verirank.statistics import ALPHA, Interval, avg_at_k, holm, pass_at_k


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
        return self.p_holm <= ALPHA

    @property
    def pass_resolved(self) -> bool:
        """Whether it moves Pass@k, likewise."""
        return self.pass_p_holm <= ALPHA


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
        effects = [asdict(effect) for effect in self.effects]
        content = {"effects": effects, "missing": self.missing}
        write_table(folder, "confounds", content if effects or self.missing else None, effects)


def read_confounds(folder: Path) -> Confounds | None:
    """Return what `Confounds.write` left in a folder, or None."""
    path = folder / "confounds.json"
    if not path.is_file():
        return None
    content = read_json(path)
    return Confounds(tuple(Effect(**row) for row in content["effects"]), content["missing"])


def measure_confounds(folders: Iterable[Path], board: Leaderboard) -> Confounds:
    """Compare every defective trial of the studies in some folders with its fair one.

    Args:
        folders: of studies; others have no defects.
        board: the leaderboard of the same folders, which holds the fair trials.
    """
    pairs, missing = pairs_of(folders, board, ("defective", "rescored"))
    effects = [effect for bench in board.benches for effect in _on_bench(pairs, bench)]
    return Confounds(tuple(effects), {entry.id: why for entry, why in missing})


def _on_bench(pairs: list[Pair], bench: str) -> Iterator[Effect]:
    """Yield the effects on a bench in the order of the pairs."""
    arms = on_bench(pairs, bench)
    spoiled = [np.stack([pair.variant[bench].after_PK for pair in arm]) for arm in arms.values()]
    fair = [np.stack([pair.fair[bench].after_PK for pair in arm]) for arm in arms.values()]
    groups = [arm[0].fair[bench].groups for arm in arms.values()]
    # Trained anew, a pair differs as two runs do; rescored, only as the defect makes it.
    kinds = ["trained" if a[0].entry.role == "defective" else key[0] for key, a in arms.items()]

    def tested(score: Callable[[NDArray[np.bool_]], NDArray[np.bool_]]) -> list[Interval]:
        sides = (
            [by_group_of(score(one), its) for one, its in zip(side, groups, strict=True)]
            for side in (spoiled, fair)
        )
        return _corrected(differences(*sides, kinds=kinds))

    average, passed = tested(lambda x_SPK: x_SPK), tested(lambda x_SPK: x_SPK.max(2, keepdims=True))
    for (key, arm), spoiled_SPK, fair_SPK, mean, once in zip(
        arms.items(), spoiled, fair, average, passed, strict=True
    ):
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
