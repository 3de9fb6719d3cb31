"""`verirank quickstart`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from verirank.config import InputError, plugin_names


@click.command(help="Train every method by real RL on a small model, rank them, write report.html.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("quickstart"),
    show_default=True,
    help="Folder of the runs and the report; a stopped quickstart goes on there.",
)
@click.option("--methods", help="Comma-separated; every installed method by default.")
@click.option("--steps", type=click.IntRange(1), help="Training steps a trial (60).")
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="How many.")
@click.option(
    "--model",
    type=click.Choice(["micro", "smollm2"]),
    default="micro",
    show_default=True,
    help="micro takes minutes, smollm2 hours.",
)
@click.option(
    "--processes", type=click.IntRange(1), help="Trials side by side; all cores by default."
)
def command(
    out: Path,
    methods: str | None,
    steps: int | None,
    seeds: int,
    model: str,
    processes: int | None,
) -> None:
    """Run the trials, then print and write what came out."""
    names = [name.strip() for name in methods.split(",")] if methods else plugin_names("method")
    if not all(names):
        raise InputError(f"--methods has an empty name: {methods!r}")
    from verirank.report import print_leaderboard, write_report
    from verirank.study import quickstart_trials, run_trials

    preset = "quickstart" if model == "micro" else f"quickstart-{model}"
    trials = quickstart_trials(preset, names, steps=steps, seeds=range(seeds))
    with _Watch(out, trials) as watch:
        outcomes = run_trials(trials, out, processes=processes, on_poll=watch.refresh)
    leaderboard = write_report([out], out)
    print_leaderboard(leaderboard)
    click.echo(f"report: {out / 'report.html'}")
    failed = [outcome for outcome in outcomes if outcome.error]
    for outcome in failed:
        click.echo(f"failed: {outcome.folder.name}: {outcome.error}", err=True)
    if failed:
        raise SystemExit(1)


class _Watch:
    """A live table of the trials, read from their folders; plain lines without a terminal."""

    def __init__(self, out: Path, trials: dict[str, Any]) -> None:
        from rich.console import Console
        from rich.live import Live

        self._out, self._trials = out, trials
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False)
        self._told: set[str] = set()

    def __enter__(self) -> _Watch:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def refresh(self) -> None:
        from verirank.study import progress

        states = {name: progress(self._out / "trials" / name) for name in self._trials}
        if self._console.is_terminal:
            self._live.update(_table(states, self._trials), refresh=True)
            return
        for name, state in states.items():
            if state["status"] in {"done", "failed"} and name not in self._told:
                self._told.add(name)
                click.echo(f"[{len(self._told)}/{len(states)}] {name}: {state['status']}")


def _table(states: dict[str, Any], trials: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("trial", "state", "step", "reward"):
        table.add_column(title)
    for name, state in states.items():
        steps, rewards = trials[name].training.steps, state["rewards"]
        begun = bool(rewards) or state["status"] != "running"
        table.add_row(
            name,
            state["status"] if begun else "waiting",
            f"{state['step']}/{steps}",
            f"{_sparkline(rewards)} {rewards[-1]:.2f}" if rewards else "",
        )
    return table


def _sparkline(rewards: list[float], width: int = 30) -> str:
    size = max(1, -(-len(rewards) // width))
    means = [sum(part) / len(part) for part in _parts(rewards, size)]
    return "".join("▁▂▃▄▅▆▇█"[min(7, int(8 * mean))] for mean in means)


def _parts(values: list[float], size: int) -> list[list[float]]:
    return [values[start : start + size] for start in range(0, len(values), size)]
