"""`verirank study`: plan, run, resume and watch a study."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from verirank.cli._finite_range import FiniteRange
from verirank.cli._study_argument import STUDY
from verirank.config import InputError, nearest


def _whole_above_one(
    context: click.Context, option: click.Parameter, value: float | None
) -> float | None:
    """Refuse fractions above 1, of which Ray reserves only whole numbers."""
    if value is not None and value > 1 and not value.is_integer():
        raise click.BadParameter(f"{value:g} is more than 1 and no whole number.")
    return value


def _part(
    context: click.Context, option: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    """Read I/N."""
    if value is None:
        return None
    number, slash, parts = value.partition("/")
    if not (slash and number.isdecimal() and parts.isdecimal()):
        raise click.BadParameter(f"{value!r} is not I/N, such as 2/8.")
    return int(number), int(parts)


_EXECUTION = [
    click.option(
        "--executor",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Processes on this machine, or tasks on a Ray cluster; there a trial gets a GPU only "
        "with --gpus.",
    ),
    click.option(
        "--address", help="Address of the Ray cluster; a new one on this machine by default."
    ),
    click.option(
        "--processes",
        type=click.IntRange(1),
        help="Trials to run at a time; by default one per GPU, else per core, as memory allows.",
    ),
    click.option("--threads", type=click.IntRange(1), help="Threads per local trial (default 1)."),
    click.option(
        "--stall-minutes",
        type=FiniteRange(min=0, min_open=True),
        default=60.0,
        show_default=True,
        help="Kill a trial that shows no sign of progress for this long.",
    ),
    click.option(
        "--cpus",
        type=FiniteRange(0, min_open=True),
        callback=_whole_above_one,
        help="CPUs per trial on Ray (default 1).",
    ),
    click.option(
        "--gpus",
        type=FiniteRange(0),
        callback=_whole_above_one,
        help="GPUs per trial on Ray (default 0); 0.5 places two trials on one GPU.",
    ),
    click.option(
        "--memory",
        "memory_gb",
        type=FiniteRange(0, min_open=True),
        help="Memory per trial on Ray, in GB; the planned memory by default.",
    ),
    click.option(
        "--retry-failed",
        is_flag=True,
        help="Also run trials again that failed by their own fault, such as divergence.",
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


@click.group(cls=_Commands, help="Plan, run, resume and watch a study of many trials.")
def command() -> None:
    """See the subcommands."""


@command.command(
    help=f"List a study's trials, what each costs, and what is done already.\n\n{STUDY}"
)
@click.argument("source", type=click.Path(path_type=Path), metavar="STUDY")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the study, if begun.")
@click.option("--store", type=click.Path(path_type=Path), help="Folder of trials to share.")
@click.option(
    "--probe/--no-probe", default=True, help="Time a few steps of each arm whose cost is not known."
)
@click.option(
    "--gpu",
    default="h100",
    show_default=True,
    help="GPU to estimate for, where the model is not on this machine.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(
    source: Path, out: Path | None, store: Path | None, probe: bool, gpu: str, as_json: bool
) -> None:
    """Print a line a trial, and the totals."""
    from verirank.study import read_study

    study = read_study(source)
    if probe:
        notice = "a few steps are timed of every arm that nothing is known of (--no-probe: of none)"
        click.echo(notice, err=True)
    from verirank.study import plan_study

    plan = plan_study(study, out=out, store=store, probe=probe, on=gpu)
    if as_json:
        return click.echo(json.dumps(asdict(plan) | plan.totals(), indent=2))
    from rich.console import Console

    from verirank.cli.tables import render_plan

    Console().print(render_plan(plan))


@command.command(help=f"Run a study, or go on with it, and report what came out.\n\n{STUDY}")
@click.argument("source", type=click.Path(path_type=Path), metavar="STUDY")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of the study; one that was stopped goes on there.",
)
@click.option("--store", type=click.Path(path_type=Path), help="Folder of trials to share.")
@click.option(
    "--part",
    callback=_part,
    metavar="I/N",
    help="Run the I-th of N parts of the arms, as a task of a Slurm array does. Each part has an "
    "--out of its own and all share one --store; once they have ended, a run without --part ranks.",
)
@_execution
def run(
    source: Path, out: Path, store: Path | None, part: tuple[int, int] | None, **options: Any
) -> None:
    """Run what the study lacks, and report."""
    from verirank.cli._study import run_and_report, run_part
    from verirank.cli.tables import left_out_in_words
    from verirank.study import read_study

    study = read_study(source)
    if left_out := study.left_out():
        click.echo(left_out_in_words(left_out), err=True)
    retry = options.pop("retry_failed")
    executor = _executor(**options)
    if part is not None:
        return run_part(study, out, part, store=store, executor=executor, retry_failed=retry)
    run_and_report(study, out, store=store, executor=executor, retry_failed=retry)


@command.command()
@_FOLDER
@_execution
def resume(folder: Path, **options: Any) -> None:
    """Continue the study in DIR; a finished study and its report stay as they are."""
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
    """Print the state of the study in DIR, read from its folder."""
    from rich.console import Console

    from verirank.cli.tables import Watch, render
    from verirank.study import study_status

    now = study_status(folder)
    if as_json:
        return click.echo(json.dumps(asdict(now), indent=2))
    if not watch:
        console = Console()
        console.print(render(now, console.width))
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
