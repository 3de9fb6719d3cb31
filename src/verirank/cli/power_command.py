"""`verirank power`: what a study can resolve, before it is run."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from verirank.config import InputError, nearest

_SEEDS = (1, 2, 3, 5, 10, 20)
_SAMPLES = 32
_PERCENT = click.FloatRange(0, 100, min_open=True, max_open=True)
_POINTS = click.FloatRange(0, 100)


@click.command("power")
@click.option("--bench", required=True, help="The bench: its number of problems.")
@click.option("--difference", required=True, type=_PERCENT, help="What to resolve, in points.")
@click.option("--seeds", type=click.IntRange(1), help="Seeds of each method; else a table of some.")
@click.option(
    "--samples", type=click.IntRange(1), help=f"Samples a problem, {_SAMPLES} if not given."
)
@click.option("--accuracy", type=_PERCENT, help="Assumed accuracy in percent, else the bench's.")
@click.option(
    "--seed-sd",
    type=_POINTS,
    default=1.0,
    show_default=True,
    help="Assumed SD between seeds of a method's true accuracy, in points.",
)
@click.option(
    "--effect-sd",
    type=_POINTS,
    help="Assumed SD between problems of the true difference, in points, "
    "else the least there can be: equal shifts in log-odds.",
)
@click.option(
    "--comparisons",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Comparisons that Holm's correction spans.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(bench: str, as_json: bool, **options: Any) -> None:
    """Tell the samples and seeds that resolve a difference at 80 % power, 5 % two-sided.

    Two methods are compared on the same problems. With one seed the answer is about the two
    trained policies; a claim about the methods needs more.
    """
    from verirank.tasks import benches

    if bench not in benches():
        raise InputError(f"unknown bench {bench!r}{nearest(bench, benches())}")
    report = _report(bench, benches()[bench].problems, **options)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        _print(report)


def _report(
    name: str,
    problems: int,
    difference: float,
    seeds: int | None,
    samples: int | None,
    accuracy: float | None,
    seed_sd: float,
    effect_sd: float | None,
    comparisons: int,
) -> dict[str, Any]:
    from verirank.statistics import Assumptions, Design, Difficulty, usual_accuracy

    accuracy = round(100 * usual_accuracy(name), 2) if accuracy is None else accuracy
    effect = None if effect_sd is None else effect_sd / 100
    assumed = Assumptions(Difficulty(accuracy / 100), seed_sd / 100, effect)
    noise = assumed.noise(difference / 100)
    designs = [Design(problems, s, samples or _SAMPLES) for s in ([seeds] if seeds else _SEEDS)]
    return {
        "bench": name,
        "problems": problems,
        "difference": difference,
        "comparisons": comparisons,
        "samples": samples or _SAMPLES,
        "assumed": {
            "accuracy": accuracy,
            "difficulty_sd": round(100 * assumed.difficulty.spread, 2),
            "seed_sd": seed_sd,
            "effect_sd": round(100 * noise.problem**0.5, 2),
        },
        "rows": [_row(assumed, design, difference / 100, comparisons) for design in designs],
    }


def _row(assumed: Any, design: Any, difference: float, comparisons: int) -> dict[str, Any]:
    from verirank.statistics import prospect

    found = prospect(assumed, design, difference, comparisons)
    return {
        "seeds": design.seeds,
        "about": "these runs" if design.seeds == 1 else "the methods",
        "power": round(found.power, 3),
        "detectable": _points(found.detectable),
        "detectable_at_any_samples": _points(found.detectable_at_any_samples),
        "samples_needed": found.remedy.samples,
        "seeds_needed": found.remedy.seeds,
        "verdict": found.remedy.sentence,
    }


def _points(share: float) -> float | None:
    return round(100 * share, 2) if isfinite(share) else None


def _print(report: dict[str, Any]) -> None:
    assumed, samples = report["assumed"], report["samples"]
    click.echo(
        f"{report['bench']}: {report['problems']} problems; a difference of "
        f"{report['difference']:g} points at 80 % power, 5 % two-sided"
    )
    if report["comparisons"] > 1:
        click.echo(f"Holm over {report['comparisons']} comparisons, at its hardest step")
    click.echo(
        f"assumed: accuracy {assumed['accuracy']:g} %, SDs in points: {assumed['difficulty_sd']:g} "
        f"between problems' difficulties, {assumed['seed_sd']:g} between seeds, "
        f"{assumed['effect_sd']:g} between problems' differences"
    )
    table = Table("seeds", "about", f"power at k={samples}", f"smallest at k={samples}", box=None)
    table.add_column("at any k")
    table.add_column("k needed")
    for row in report["rows"]:
        table.add_row(*_cells(row))
    Console().print(table)
    click.echo(f"{report['rows'][-1]['verdict']}.")


def _cells(row: dict[str, Any]) -> list[str]:
    needed = "no k does" if row["samples_needed"] is None else f"{row['samples_needed']:,}"
    points = [
        "none" if row[key] is None else f"{row[key]:.1f}"
        for key in ("detectable", "detectable_at_any_samples")
    ]
    return [str(row["seeds"]), row["about"], f"{100 * row['power']:.0f} %", *points, needed]
