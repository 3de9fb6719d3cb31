"""`verirank quickstart`."""

from __future__ import annotations

from pathlib import Path

import click

from verirank.config import InputError


@click.command(help="Train thirteen methods by real RL on a small model, rank and report them.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("quickstart"),
    show_default=True,
    help="Folder of the runs and the report; an interrupted quickstart continues there.",
)
@click.option("--methods", help="Comma-separated names of `verirank methods`; thirteen by default.")
@click.option("--steps", type=click.IntRange(1), help="Training steps per trial (default 50).")
@click.option(
    "--seeds", type=click.IntRange(1), default=1, show_default=True, help="Number of seeds."
)
@click.option(
    "--model",
    type=click.Choice(["micro", "smollm2"]),
    default="micro",
    show_default=True,
    help="micro takes minutes, smollm2 hours.",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    help="Trials to run at a time; by default one per GPU, else per core, as memory allows.",
)
def command(
    out: Path,
    methods: str | None,
    steps: int | None,
    seeds: int,
    model: str,
    processes: int | None,
) -> None:
    """Run the smallest study there is, then print and write what came out."""
    names = [name.strip() for name in methods.split(",")] if methods else []
    if not all(names):
        raise InputError(f"--methods has an empty name: {methods!r}")
    from verirank.cli._study import run_and_report
    from verirank.study import LocalExecutor, make_study

    study = make_study(
        {
            "name": "quickstart",
            "preset": "quickstart" if model == "micro" else f"quickstart-{model}",
            **({"methods": names} if names else {}),
            "seeds": list(range(seeds)),
            "trial": {"training": {"steps": steps}} if steps else {},
        },
        "--methods",
    )
    run_and_report(study, out, executor=LocalExecutor(processes))
