"""`verirank show`: a run's completions, to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from verirank.config import InputError

LONGEST = 4000
"""Characters of a text that are shown; a completion may be megabytes of one line."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--bench", help="Read this bench's samples, before and after training.")
@click.option("--step", type=click.IntRange(1), help="Read a training step's completions.")
@click.option("--problem", help="Only this problem.")
@click.option("--right", "wanted", flag_value="right", help="Only right answers.")
@click.option("--wrong", "wanted", flag_value="wrong", help="Only wrong answers.")
@click.option("--truncated", "wanted", flag_value="truncated", help="Only those cut off.")
@click.option("--full", is_flag=True, help=f"Whole texts, also beyond {LONGEST:,} characters.")
@click.option(
    "-n",
    "most",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Most completions to print.",
)
def command(
    folder: Path,
    bench: str | None,
    step: int | None,
    problem: str | None,
    wanted: str | None,
    full: bool,
    most: int,
) -> None:
    """Read what a model wrote, with the gold answer, its reward and its advantage.

    Without an option, prints what is conspicuous in RUN: how answers ended, the worst and the best
    problems, and signs of reward hacking. --step and --bench show completions.
    """
    from verirank.record import Run, read_bench_completions, read_rollouts
    from verirank.report import overview

    run = Run.open(folder)
    if bench and step:
        raise InputError("give --bench or --step, not both")
    if not bench and not step and (problem or wanted):
        raise InputError("say which completions: --step or --bench, with --problem or a filter")
    if not bench and not step:
        return click.echo(overview(run))
    rows = read_bench_completions(run, bench) if bench else read_rollouts(run, step or 1)
    if problem and problem not in {row["problem"] for row in rows}:
        raise InputError(f"no problem {problem!r} there; every entry begins with its problem's id")
    kept = [row for row in rows if _wanted(row, problem, wanted)]
    for row in kept[:most]:
        _print(row, None if full else LONGEST)
    click.echo(f"{min(most, len(kept))} of {len(kept)} shown")
    return None


def _wanted(row: dict[str, Any], problem: str | None, wanted: str | None) -> bool:
    if problem and row["problem"] != problem:
        return False
    if wanted == "truncated":
        return row["truncated"]
    return wanted is None or (row["reward"] > 0) == (wanted == "right")


def _print(row: dict[str, Any], most: int | None) -> None:
    from verirank.report import readable

    advantage = row.get("advantage")
    facts = [f"reward {row['reward']:g}"]
    facts += [f"{name} {number:g}" for name, number in row.get("components") or ()]
    facts += [f"advantage {advantage:+.3f}"] if advantage is not None else []
    facts += [row["stage"]] if "stage" in row else []
    facts += [row["reason"], f"{row['length']} tokens" + (", cut off" if row["truncated"] else "")]
    click.secho(readable(f"{row['problem']}  ({'; '.join(facts)})"), bold=True)
    click.echo(f"question: {_shown(row.get('prompt'), most)}")
    click.echo(f"gold: {_shown(row.get('gold'), most)}")
    click.echo(f"{_shown(row['completion'], most)}\n")


def _shown(text: str | None, most: int | None) -> str:
    from verirank.report import excerpt

    return "not recorded" if text is None else excerpt(text, most or len(text))
