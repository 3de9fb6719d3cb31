"""Figures for a sceptical reader: differences a problem, and what training did to weights."""

from __future__ import annotations

from verirank.ranking import Difference, GeometryReport, difference_rows, listed, points
from verirank.report._difference_chart import difference_chart
from verirank.report._geometry_charts import (
    energy_panels,
    energy_rows,
    growth_panels,
    growth_rows,
)
from verirank.report.figures import Figure


def difference_figure(name: str, pairs: list[Difference]) -> Figure:
    """Return the figure of at least one method less a reference, problem by problem."""
    reference, bench, problems = pairs[0].reference, pairs[0].bench, len(pairs[0].problems)
    return Figure(
        f"differences-{name}",
        f"Problem by problem on {bench}, against {reference}",
        f"Each method less {reference} on the {problems} problems of {bench} alone, in points, "
        "from the problem that it loses most on to the one that it gains most on. Above each "
        "panel: the mean with its paired 95 % interval, which is not corrected for the number of "
        "methods; where that leaves zero out, the line is blue above zero and orange below. Grey: "
        "where 95 % of such lines lie when both methods are equal and differ by independent "
        "sampling alone; what another training seed changes is not in it. Methods that hardly "
        "moved draw alike from the same random streams, so they lie nearer to zero.",
        f"A small panel a method with its sorted differences from {reference} on {bench}. "
        f"{_in_words(pairs)}",
        lambda palette, layout: difference_chart(pairs, palette, layout),
        difference_rows(pairs),
    )


def _in_words(pairs: list[Difference]) -> str:
    means = [f"{d.label} {points(d.mean)}" for d in pairs]
    return f"Mean differences in points: {listed(means)}."


def geometry_figures(geometry: GeometryReport) -> list[Figure]:
    """Return the figures of the analyzed runs; of vectors alone there is no energy curve."""
    energy, growth = energy_rows(geometry), growth_rows(geometry)
    figures = []
    if energy:
        figures.append(
            Figure(
                "energy",
                "Where the update lies",
                "Cumulative energy of the update in percent (line) over the leading share of the "
                "base's right singular directions, mean over matrices and seeds. Dashed: an update "
                "of the same norm without preferred directions. Dotted: the base's own weight. The "
                "left directions are in the data.",
                "A small panel a method; the data beside the page has every curve.",
                lambda palette, layout: energy_panels(energy, palette, layout),
                energy,
            )
        )
    if growth:
        figures.append(
            Figure(
                "growth",
                "How the update grew",
                "Norm of the update over that of the weights, in percent, at the kept checkpoints "
                "and the end; mean over seeds.",
                "A small panel a method; the data beside the page has every point.",
                lambda palette, layout: growth_panels(growth, palette, layout),
                growth,
            )
        )
    return figures
