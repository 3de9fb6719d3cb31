"""The code, packages, threads and machines that made the runs, and whether these differ."""

from __future__ import annotations

from typing import Any

from verirank.ranking._formats import listed
from verirank.ranking._leaderboard import Leaderboard
from verirank.record import packages_in


def provenance(board: Leaderboard) -> dict[str, list[str]]:
    """Return the distinct values of each kind over the scored runs, without what none recorded."""
    manifests = [manifest for arm in board.arms for manifest in arm.manifests]
    values = {
        "code": [str(manifest.get("git") or "") for manifest in manifests],
        "packages": [packages_in(manifest) for manifest in manifests],
        "threads": [str(manifest.get("threads") or "") for manifest in manifests],
        "device": [str(manifest.get("device") or "") for manifest in manifests],
        "machine": [_machine(manifest) for manifest in manifests],
    }
    distinct = {kind: sorted(set(each) - {""}) for kind, each in values.items()}
    return {kind: each for kind, each in distinct.items() if each}


def mixture(board: Leaderboard) -> str:
    """Return a warning if the runs differ in more than their settings, else an empty string."""
    mixed = [f"{len(each)} of {kind}" for kind, each in provenance(board).items() if len(each) > 1]
    if not mixed:
        return ""
    return (
        f"These runs were not made under the same conditions: {listed(mixed)}. A difference "
        "between methods may come from these conditions; data/audit.csv lists them for each run."
    )


def _machine(manifest: dict[str, Any]) -> str:
    return ", ".join(str(value) for value in (manifest.get("machine") or {}).values())
