"""The evidence behind each score: conformance checks, the base's hash, numerics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verirank.ranking._leaderboard import Leaderboard
from verirank.ranking.arms import ArmRuns
from verirank.record import Curve, Run, max_recorded, mean_recorded, of_each, packages_in

_PROVEN_FOR = ("verirank", "torch", "transformers", "peft")
"""A proof holds for these versions; with others it is made anew."""
_LAST = 10


@dataclass(frozen=True, slots=True)
class RunAudit:
    """One run's proof and numerics; fractions are of 1, None where the run did not record it.

    `checks` were passed of `checks_made`, which hold for the versions in `proven_for`; `proven` is
    when. `git` is the code's revision, `packages` are all versions that matter. `base_sha256` was
    taken at the start and found again at the end, else the run has no score. `moved` is the
    fraction of served weights off the base by more than half a ULP, and `cut_off` that of
    completions, both over the last ten steps; `cut_off_first` over the first ten. `kl` is the
    largest KL from sampler to trainer of any step, nats a token; `clipped` the mean fraction of
    clipped tokens, `groups_used` that of sampled groups with a gradient to give. `unverified`
    counts the answers of training and benches that the verifier left undecided on a busy machine;
    they count as wrong.
    """

    method: str
    run: str
    seed: int
    checks: int
    checks_made: int
    proven: str | None
    proven_for: str
    git: str | None
    packages: str
    threads: int | None
    base_sha256: str | None
    dtype: str | None
    device: str | None
    moved: float | None
    kl: float | None
    clipped: float | None
    cut_off_first: float | None
    cut_off: float | None
    groups_used: float | None
    unverified: int | None


@dataclass(frozen=True, slots=True)
class ArmAudit:
    """An arm's audit: the worst value over its runs, `unverified` of all of them."""

    label: str
    seeds: tuple[int, ...]
    checks: int
    checks_made: int
    proven: str | None
    one_base: bool
    dtype: str | None
    moved: float | None
    kl: float | None
    clipped: float | None
    cut_off_first: float | None
    cut_off: float | None
    groups_used: float | None
    unverified: int | None


def audit_runs(board: Leaderboard) -> list[RunAudit]:
    """Return the audit of every scored run, in the order of the board."""
    arms = board.ordered_arms
    numerics = iter(of_each([curve for arm in arms for curve in arm.curves], _numerics))
    return [
        _run(arm, *pair, next(numerics))
        for arm in arms
        for pair in zip(arm.runs, arm.manifests, strict=True)
    ]


def _numerics(curves: Curve) -> NDArray[np.float64]:
    """Return the last six fields of `RunAudit` of R runs, R x 6."""
    columns = (
        mean_recorded(curves.moved_T[..., -_LAST:]),
        max_recorded(curves.kl_T),
        mean_recorded(curves.clipped_T),
        mean_recorded(curves.truncated_T[..., :_LAST]),
        mean_recorded(curves.truncated_T[..., -_LAST:]),
        mean_recorded(curves.used_T),
    )
    return np.stack(columns, axis=1)


def audit_arms(audits: list[RunAudit]) -> list[ArmAudit]:
    """Return the runs of each arm together, in the order given."""
    by_arm: dict[str, list[RunAudit]] = {}
    for audit in audits:
        by_arm.setdefault(audit.method, []).append(audit)
    return [_arm(label, runs) for label, runs in by_arm.items()]


def _run(
    arm: ArmRuns, run: Run, manifest: dict[str, Any], numerics: list[float | None]
) -> RunAudit:
    proof, packages = manifest.get("conformance") or {}, manifest.get("packages") or {}
    checks = proof.get("checks", ())
    moved, kl, clipped, cut_off_first, cut_off, groups_used = numerics
    return RunAudit(
        method=arm.label,
        run=run.folder.name,
        seed=run.seed,
        checks=sum(bool(check["passed"]) for check in checks),
        checks_made=len(checks),
        proven=proof.get("proven"),
        proven_for=", ".join(f"{p} {packages[p]}" for p in _PROVEN_FOR if packages.get(p)),
        git=manifest.get("git"),
        packages=packages_in(manifest),
        threads=manifest.get("threads"),
        base_sha256=manifest.get("base_sha256"),
        dtype=arm.settings.get("model.dtype"),
        device=manifest.get("device"),
        moved=moved,
        kl=kl,
        clipped=clipped,
        cut_off_first=cut_off_first,
        cut_off=cut_off,
        groups_used=groups_used,
        unverified=manifest.get("unverified"),
    )


def _arm(label: str, runs: list[RunAudit]) -> ArmAudit:
    least = min(runs, key=lambda run: run.checks)
    dates = sorted(run.proven for run in runs if run.proven)
    return ArmAudit(
        label=label,
        seeds=tuple(run.seed for run in runs),
        checks=least.checks,
        checks_made=least.checks_made,
        proven=dates[0] if dates else None,
        one_base=runs[0].base_sha256 is not None and len({run.base_sha256 for run in runs}) == 1,
        dtype=runs[0].dtype,
        moved=_least([run.moved for run in runs]),
        kl=_most([run.kl for run in runs]),
        clipped=_most([run.clipped for run in runs]),
        cut_off_first=_most([run.cut_off_first for run in runs]),
        cut_off=_most([run.cut_off for run in runs]),
        groups_used=_least([run.groups_used for run in runs]),
        unverified=_sum([run.unverified for run in runs]),
    )


def _recorded(values: list[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _least(values: list[float | None]) -> float | None:
    return min(_recorded(values), default=None)


def _most(values: list[float | None]) -> float | None:
    return max(_recorded(values), default=None)


def _sum(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
