"""The `verirank` command: each file parses, calls the library and prints."""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module
from io import TextIOWrapper

import click

COMMANDS = {
    "quickstart": "Rank the methods by real RL on a small model, in minutes.",
    "study": "Plan, run, resume and watch a study of many trials.",
    "plan": "Estimate what a preset or study needs: tokens, FLOPs, memory, GPU-hours.",
    "train": "Train one method on one task, or resume a run.",
    "eval": "Sample a run or a model on a task's benches and score it.",
    "analyze": "Measure what training did to the weights, and what runs have in common.",
    "export": "Write a run's policy as a model or adapter to ship.",
    "report": "Build the leaderboard and report.html from runs on disk.",
    "recommend": "Recommend a method within a budget, with its evidence.",
    "show": "Read a run's completions, with rewards and advantages.",
    "power": "Plan the samples and seeds that resolve a difference.",
    "check": "Prove that a method is what it claims to be, on any model.",
    "methods": "List the methods, with exact trainable counts for a shape.",
    "algorithms": "List the RL algorithms.",
    "tasks": "List the tasks, or print the prompts of one (tasks show).",
    "data": "Training sets and benches: what there is, overlaps, answers.",
    "verify": "Check answers against gold answers.",
    "micro": "Rebuild the built-in micro model.",
    "doctor": "Check what this machine offers for training.",
}


_UNUSABLE_PATH = {
    errno.EACCES,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}


class _LazyGroup(click.Group):
    """A group that imports a command's file only when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            from verirank.config import nearest

            ctx.fail(f"no command {cmd_name!r}{nearest(cmd_name, COMMANDS)}")
        return import_module(f"verirank.cli.{cmd_name}_command").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="verirank")
def root() -> None:
    """Measure which PEFT method to use for RL with verifiable rewards."""
    from verirank.config import InputError

    command = click.get_current_context().invoked_subcommand
    if command != "train" and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError(
            f"`verirank {command}` is one process; only `verirank train` runs under torchrun"
        )


def main() -> None:
    """Run the command line; exit codes: 0 done, 1 failed, 2 wrong input, 130 stopped."""
    # Threads that spin while they wait collapse once another process shares the cores; what loads
    # with torch reads this once.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("KMP_BLOCKTIME", "0")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    # NumPy's products are small here: its threads would spin on the core of what draws or trains.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _expect_streams()
    if not sys.stdout.isatty():
        os.environ.setdefault("COLUMNS", "200")  # no terminal is too narrow for a table
    try:
        code = root(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = 2
    except (click.Abort, KeyboardInterrupt):
        code = _say("stopped", 130)
    except Exception as error:
        code = _exit_code(error)
    sys.exit(code)


def _expect_streams() -> None:
    """Have closed streams lead nowhere, and print ? for what an ASCII locale lacks."""
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _exit_code(error: Exception) -> int:
    """Tell the user what went wrong; an error that only a developer can mend is raised again."""
    from verirank.config import AlreadyReportedError, InputError, RunFailedError

    if isinstance(error, AlreadyReportedError):
        return 1
    if isinstance(error, InputError):
        return _say(str(error), 2)
    if isinstance(error, RunFailedError):
        return _say(str(error), 1)
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _say(f"the disk is full: {error.filename or error}; free some space", 2)
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        what = error.filename or "a file"
        return _say(f"{what} may not grow as large as it must (see `ulimit -f`)", 2)
    if _lacks_memory(error):
        return _say("the memory does not suffice (see `ulimit -v`)", 2)
    if isinstance(error, OSError) and error.errno in _UNUSABLE_PATH and error.filename:
        return _say(f"cannot use {error.filename}: {error.strerror}", 2)
    raise error


def _lacks_memory(error: Exception) -> bool:
    """Tell whether memory could not be had, for tensors or for a library to be loaded."""
    words = ("allocate memory", "failed to map segment", "can't start new thread")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | ImportError | OSError)
        and any(said in str(error) for said in words)
    )


def _say(message: str, code: int) -> int:
    click.echo(f"verirank: {message}", err=True)
    return code
