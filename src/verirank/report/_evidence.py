"""The evidence beside the scores, and its files under data/."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from verirank.ranking import (
    REFERENCES,
    AcrossBenches,
    ArmAudit,
    BenchScores,
    Difference,
    GeometryReport,
    Leaderboard,
    PublishedScore,
    RunAudit,
    across_benches,
    audit_arms,
    audit_runs,
    bench_scores,
    differences,
    published_scores,
    read_geometry,
    summary_rows,
)
from verirank.record import as_row, write_csv, write_json
from verirank.report._completion_excerpts import MethodReadings, method_readings
from verirank.report._evidence_figures import difference_figure, geometry_figures
from verirank.report.figures import Figure


@dataclass(frozen=True)
class Evidence:
    """Proof and numerics of the runs, differences, geometry, completions, and other scores."""

    runs: list[RunAudit]
    differences: dict[str, list[Difference]]
    geometry: GeometryReport
    readings: list[MethodReadings]
    published: list[PublishedScore]
    benches: list[BenchScores]
    across: list[AcrossBenches]

    @property
    def audits(self) -> list[ArmAudit]:
        """The audit an arm."""
        return audit_arms(self.runs)

    @property
    def compared(self) -> list[dict[str, Any]]:
        """The mean difference of each method from each reference."""
        return [row for pairs in self.differences.values() for row in summary_rows(pairs)]

    def difference_figures(self) -> list[Figure]:
        """Return a figure a reference."""
        return [difference_figure(*named) for named in self.differences.items()]

    def geometry_figures(self) -> list[Figure]:
        """Return the figures of the analyzed runs."""
        return geometry_figures(self.geometry) if self.geometry.runs else []

    def write(self, folder: Path) -> None:
        """Write all of its numbers that the page shows into a folder, as CSV and JSON."""
        tables = {
            "audit": [as_row(run) for run in self.runs],
            "differences": self.compared,
            "geometry": self.geometry.by_method,
            "geometry_runs": self.geometry.measures,
            "energy_runs": self.geometry.energy,
            "overlaps": self.geometry.overlaps_by_method,
            "overlaps_runs": self.geometry.overlaps,
            "published": [as_row(row) for row in self.published],
            "benches": [as_row(row) for row in self.benches],
            "aggregates": [as_row(row) for row in self.across],
        }
        for name, rows in tables.items():
            if rows:
                write_csv(folder / f"{name}.csv", rows)
            else:
                (folder / f"{name}.csv").unlink(missing_ok=True)
        write_json(folder / "completions.json", [asdict(readings) for readings in self.readings])


def gather_evidence(board: Leaderboard) -> Evidence:
    """Gather the evidence for the runs of a leaderboard."""
    by_reference = {reference: differences(board, reference) for reference in REFERENCES}
    return Evidence(
        runs=audit_runs(board),
        differences={name: pairs for name, pairs in by_reference.items() if pairs},
        geometry=read_geometry(board),
        readings=method_readings(board),
        published=published_scores(board),
        benches=bench_scores(board),
        across=across_benches(board),
    )
