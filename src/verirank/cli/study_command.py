"""`verirank study`: plan, run, resume and watch a study."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from verirank.cli._study_argument import STUDY
from verirank.config import InputError, nearest


def _whole_above_one(
    context: click.Context, option: click.Parameter, value: float | None
) -> float | None:
    """Refuse what Ray would refuse: of more than one core or GPU it reserves no fraction."""
    if value is not None and value > 1 and not value.is_integer():
        raise click.BadParameter(f"{value:g} is more than 1 and no whole number.")
    return value


_EXECUTION = [
    click.option(
        "--executor",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Processes on this machine, or tasks on a Ray cluster, where a trial has a GPU only "
        "with --gpus.",
    ),
    click.option("--address", help="Of the Ray cluster; a new one on this machine by default."),
    click.option(
        "--processes",
        type=click.IntRange(1),
        help="Trials side by side; by default one a GPU, or else one a core, as memory allows.",
    ),
    click.option("--threads", type=click.IntRange(1), help="Of each local trial (1)."),
    click.option(
        "--stall-minutes",
        type=click.FloatRange(min=0, min_open=True),
        default=60.0,
        show_default=True,
        help="A trial that neither proves, samples nor writes so long is killed.",
    ),
    click.option(
        "--cpus",
        type=click.FloatRange(0, min_open=True),
        callback=_whole_above_one,
        help="A trial's, on Ray (1).",
    ),
    click.option(
        "--gpus",
        type=click.FloatRange(0),
        callback=_whole_above_one,
        help="A trial's, on Ray (0: none is reserved for it); 0.5 puts two on one.",
    ),
    click.option(
        "--memory",
        "memory_gb",
        type=click.FloatRange(0, min_open=True),
        help="A trial's GB, on Ray; what is planned for it by default.",
    ),
    click.option(
        "--retry-failed", is_flag=True, help="Run trials again that failed by their own fault."
    ),
]
_FOLDER = click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")


def _execution(command: Any) -> Any:
    for option in reversed(_EXECUTION):
        command = option(command)
    return command


class _Commands(click.Group):
    """The subcommands, of which an unknown one is answered with what was meant."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands:
            meant = "; did you mean `study status DIR --watch`?"
            hint = meant if cmd_name == "watch" else nearest(cmd_name, self.commands)
            ctx.fail(f"no command {cmd_name!r}{hint}")
        return super().get_command(ctx, cmd_name)


@click.group(
    cls=_Commands, help="Run the question properly: many trials, planned, searched and resumable."
)
def command() -> None:
    """See the subcommands."""


@command.command(
    help=f"List a study's trials, what each costs, and what is done already.\n\n{STUDY}"
)
@click.argument("source", type=click.Path(path_type=Path), metavar="STUDY")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the study, if begun.")
@click.option("--store", type=click.Path(path_type=Path), help="Folder of trials to share.")
@click.option("--probe/--no-probe", default=True, help="Measure a short run of each method.")
@click.option(
    "--gpu", default="h100", show_default=True, help="To estimate for, without the model here."
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(
    source: Path, out: Path | None, store: Path | None, probe: bool, gpu: str, as_json: bool
) -> None:
    """Print a line a trial, and the totals."""
    from verirank.study import read_study

    study = read_study(source)
    if probe:
        told = "a few steps are timed of every arm that nothing is known of (--no-probe: of none)"
        click.echo(told, err=True)
    from verirank.study import plan_study

    found = plan_study(study, out=out, store=store, probe=probe, on=gpu)
    if as_json:
        return click.echo(json.dumps(asdict(found) | found.totals(), indent=2))
    from rich.console import Console

    from verirank.cli._plan import render_plan

    Console().print(render_plan(found))


@command.command(help=f"Run a study, or go on with it, and report what came out.\n\n{STUDY}")
@click.argument("source", type=click.Path(path_type=Path), metavar="STUDY")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of the study; one that was stopped goes on there.",
)
@click.option("--store", type=click.Path(path_type=Path), help="Folder of trials to share.")
@_execution
def run(source: Path, out: Path, store: Path | None, **options: Any) -> None:
    """Run what the study lacks, and report."""
    from verirank.cli._plan import left_out_in_words
    from verirank.cli._study import run_and_report
    from verirank.study import read_study

    study = read_study(source)
    if left_out := study.left_out():
        click.echo(left_out_in_words(left_out), err=True)
    retry = options.pop("retry_failed")
    executor = _executor(**options)
    run_and_report(study, out, store=store, executor=executor, retry_failed=retry)


@command.command()
@_FOLDER
@_execution
def resume(folder: Path, **options: Any) -> None:
    """Go on with the study in DIR; a finished one is left as it is, its report too."""
    from verirank.cli._study import run_and_report
    from verirank.study import open_study

    study = open_study(folder)
    retry = options.pop("retry_failed")
    run_and_report(study, folder, executor=_executor(**options), retry_failed=retry)


@command.command()
@_FOLDER
@click.option("--watch", is_flag=True, help="Show it live until Ctrl-C or its end.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status(folder: Path, watch: bool, as_json: bool) -> None:
    """Tell how the study in DIR stands, from its folder alone."""
    from rich.console import Console

    from verirank.cli._watch import Watch, render
    from verirank.study import study_status

    now = study_status(folder)
    if as_json:
        return click.echo(json.dumps(asdict(now), indent=2))
    if not watch:
        Console().print(render(now))
        return None
    with Watch(folder) as view, suppress(KeyboardInterrupt):
        while not now.has_ended:
            now = view.refresh() or now
            time.sleep(0.5)
    return None


def _executor(
    executor: str,
    address: str | None,
    processes: int | None,
    threads: int | None,
    stall_minutes: float,
    cpus: float | None,
    gpus: float | None,
    memory_gb: float | None,
) -> Any:
    from verirank.study import LocalExecutor, RayExecutor

    stall = 60 * stall_minutes
    on_ray = {"--address": address, "--cpus": cpus, "--gpus": gpus, "--memory": memory_gb}
    foreign = on_ray if executor == "local" else {"--processes": processes, "--threads": threads}
    if given := [option for option, value in foreign.items() if value is not None]:
        other = "ray" if executor == "local" else "local"
        raise InputError(f"{given[0]} goes with --executor {other}")
    if executor == "local":
        return LocalExecutor(processes, threads or 1, stall)
    memory = int(memory_gb * 1e9) if memory_gb else None
    return RayExecutor(address, cpus or 1.0, gpus or 0.0, memory, stall_seconds=stall)
