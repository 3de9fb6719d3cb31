"""`verirank power`: what a study can resolve, before it is run."""

from __future__ import annotations

import json
from dataclasses import replace
from math import isfinite
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from verirank.cli._finite_range import FiniteRange
from verirank.config import InputError

_SEEDS = (1, 2, 3, 5, 10, 20)
_SAMPLES = 32
_PERCENT = FiniteRange(0, 100, min_open=True, max_open=True)
_POINTS = FiniteRange(0, 100)
_ACCURACY = FiniteRange(0.001, 99.999)


@click.command("power")
@click.option("--bench", help="The bench: its number of problems and usual accuracy.")
@click.option(
    "--problems", type=click.IntRange(2), help="Number of problems, of your own or of a bench."
)
@click.option("--difference", required=True, type=_PERCENT, help="What to resolve, in points.")
@click.option("--seeds", type=click.IntRange(1), help="Seeds of each method; else a table of some.")
@click.option(
    "--samples", type=click.IntRange(1), help=f"Samples a problem, {_SAMPLES} if not given."
)
@click.option("--accuracy", type=_ACCURACY, help="Assumed accuracy in percent, else the bench's.")
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
    "--arms",
    type=click.IntRange(2),
    default=2,
    show_default=True,
    help="Methods that are ranked together; Holm's correction spans all of their pairs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(bench: str | None, problems: int | None, as_json: bool, **options: Any) -> None:
    """Tell the samples and seeds that resolve a difference at 80 % power, 5 % two-sided.

    Two methods are compared on the same problems. With one seed the answer is about the two
    trained policies; a claim about the methods needs more.
    """
    if bench is None and problems is None:
        raise InputError("give --bench NAME, or --problems N for problems of your own")
    report = _report(bench or "your own", problems or _size(str(bench)), **options)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        _print(report)


def _size(bench: str) -> int:
    """Return the number of problems of a bench: a named one, a package's, or a file."""
    from verirank.tasks import benches, read_bench

    return benches()[bench].problems if bench in benches() else len(read_bench(bench))


def _report(
    name: str,
    problems: int,
    difference: float,
    seeds: int | None,
    samples: int | None,
    accuracy: float | None,
    seed_sd: float,
    effect_sd: float | None,
    arms: int,
) -> dict[str, Any]:
    from verirank.statistics import Assumptions, Design, Difficulty, usual_accuracy

    accuracy = round(100 * usual_accuracy(name), 2) if accuracy is None else accuracy
    effect = None if effect_sd is None else effect_sd / 100
    assumed = Assumptions(Difficulty(accuracy / 100), seed_sd / 100, effect, arms)
    noise = assumed.noise(difference / 100)
    designs = [Design(problems, s, samples or _SAMPLES) for s in ([seeds] if seeds else _SEEDS)]
    return {
        "bench": name,
        "problems": problems,
        "difference": difference,
        "arms": arms,
        "pairs": arms * (arms - 1) // 2,
        "samples": samples or _SAMPLES,
        "assumed": {
            "accuracy": accuracy,
            "difficulty_sd": round(100 * assumed.difficulty.spread, 2),
            "seed_sd": seed_sd,
            "effect_sd": round(100 * noise.problem**0.5, 2),
        },
        "rows": [_row(assumed, design, difference / 100) for design in designs],
    }


def _row(assumed: Any, design: Any, difference: float) -> dict[str, Any]:
    from verirank.statistics import prospect

    power = prospect(assumed, design, difference)
    return {
        "seeds": design.seeds,
        "about": "these runs" if design.seeds == 1 else "the methods",
        "power": round(power.power, 3),
        "detectable": _points(power.detectable),
        "detectable_at_any_samples": _points(power.detectable_at_any_samples),
        "samples_needed": power.needed.samples,
        "seeds_needed": power.needed.seeds,
        "problems_needed": power.needed.problems,
        "verdict": _sentence(assumed, design),
    }


def _sentence(assumed: Any, design: Any) -> str:
    """Return what this design and larger ones resolve with 80 % power."""
    more = [
        replace(design, seeds=2 * design.seeds),
        replace(design, samples=4 * design.samples),
        replace(design, problems=4 * design.problems),
    ]
    now, *later = (_resolved(assumed, one) for one in (design, *more))
    if design.seeds == 1:
        return f"one seed resolves {now} between two runs with 80 % power, and nothing of methods"
    return (
        f"this design resolves {now} with 80 % power; {more[0].seeds} seeds {later[0]}, "
        f"{more[1].samples} samples {later[1]}, {more[2].problems} problems {later[2]}"
    )


def _resolved(assumed: Any, design: Any) -> str:
    points = _points(assumed.detectable(design))
    return "nothing" if points is None else f"{points:.1f} points"


def _points(fraction: float) -> float | None:
    return round(100 * fraction, 2) if isfinite(fraction) else None


def _print(report: dict[str, Any]) -> None:
    assumed, samples = report["assumed"], report["samples"]
    click.echo(
        f"{report['bench']}: {report['problems']} problems; a difference of "
        f"{report['difference']:g} points at 80 % power, 5 % two-sided"
    )
    if report["pairs"] > 1:
        click.echo(f"{report['arms']} methods: Holm over {report['pairs']} pairs, its hardest step")
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
