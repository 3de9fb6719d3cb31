"""What a sceptical reader asks for beside the scores, and the files under data/ that hold it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from verirank.record import as_row, write_csv, write_json
from verirank.report._aggregates import (
    AcrossBenches,
    BenchScores,
    across_benches,
    bench_scores,
)
from verirank.report._audit import ArmAudit, RunAudit, audit_arms, audit_runs
from verirank.report._differences import REFERENCES, Difference, differences, summary_rows
from verirank.report._evidence_figures import difference_figure, geometry_figures
from verirank.report._geometry import GeometryReport, read_geometry
from verirank.report._published import BENCHES, PUBLISHED
from verirank.report._reader import MethodReadings, readings
from verirank.report.figures import Figure
from verirank.report.leaderboard import Leaderboard


@dataclass(frozen=True)
class Evidence:
    """Proof and numerics of the runs, differences, geometry, completions, and other scores."""

    runs: list[RunAudit]
    differences: dict[str, list[Difference]]
    geometry: GeometryReport
    readings: list[MethodReadings]
    published: list[dict[str, Any]]
    benches: list[BenchScores]
    across: list[AcrossBenches]

    @property
    def audits(self) -> list[ArmAudit]:
        """The audit an arm."""
        return audit_arms(self.runs)

    @property
    def compared(self) -> list[dict[str, Any]]:
        """The mean difference of each method from each reference."""
        return [row for found in self.differences.values() for row in summary_rows(found)]

    def difference_figures(self) -> list[Figure]:
        """Return a figure a reference."""
        return [difference_figure(*named) for named in self.differences.items()]

    def geometry_figures(self) -> list[Figure]:
        """Return the figures of the analyzed runs."""
        return geometry_figures(self.geometry) if self.geometry.runs else []

    def write(self, folder: Path) -> None:
        """Write every number that the page shows of it into a folder, as CSV and JSON."""
        tables = {
            "audit": [as_row(run) for run in self.runs],
            "differences": self.compared,
            "geometry": self.geometry.by_method,
            "geometry_runs": self.geometry.measures,
            "energy_runs": self.geometry.energy,
            "overlaps": self.geometry.overlaps_by_method,
            "overlaps_runs": self.geometry.overlaps,
            "published": self.published,
            "benches": [as_row(row) for row in self.benches],
            "aggregates": [as_row(row) for row in self.across],
        }
        for name, rows in tables.items():
            if rows:
                write_csv(folder / f"{name}.csv", rows)
            else:
                (folder / f"{name}.csv").unlink(missing_ok=True)
        write_json(folder / "completions.json", [asdict(found) for found in self.readings])


def gather_evidence(board: Leaderboard) -> Evidence:
    """Read and compute it for the runs of a board."""
    found = {reference: differences(board, reference) for reference in REFERENCES}
    return Evidence(
        runs=audit_runs(board),
        differences={name: pairs for name, pairs in found.items() if pairs},
        geometry=read_geometry(board),
        readings=readings(board),
        published=_beside_published(board),
        benches=bench_scores(board),
        across=across_benches(board),
    )


def _beside_published(board: Leaderboard) -> list[dict[str, Any]]:
    """Return the arms that bear a method's plain name beside the paper's scores, in shares of 1.

    A score here stands beside the paper's only if it is an average over the same benches.
    """
    alike = frozenset(board.averaged) == BENCHES
    lora = board.other("lora", board.benches[0])
    return [
        {
            "method": row.label,
            "here": row.avg_at_k if alike else None,
            "published": round(PUBLISHED[row.label] / 100, 4),
            "here_less_lora": row.avg_at_k - lora.avg_at_k if alike and lora else None,
            "published_less_lora": round((PUBLISHED[row.label] - PUBLISHED["lora"]) / 100, 4),
        }
        for row in board.main
        if row.label in PUBLISHED
    ]
