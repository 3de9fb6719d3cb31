"""`verirank micro`."""

from __future__ import annotations

from pathlib import Path

import click


@click.group(help="The built-in micro model.")
def command() -> None:
    """Group what can be done to the micro model."""


@command.command(help="Train the micro model anew, on one thread, to the same bits.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("micro"), show_default=True)
def build(out: Path) -> None:
    """Train it with a progress bar."""
    from rich.progress import Progress

    from verirank.training import MICRO_STEPS, build_micro

    with Progress() as progress:
        bar = progress.add_task("micro", total=MICRO_STEPS)
        build_micro(out, lambda step, loss: progress.update(bar, completed=step))
    click.echo(f"wrote {out}")
