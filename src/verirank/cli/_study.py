"""Running a study from a command: the live table, then the leaderboard and what failed."""

from __future__ import annotations

import errno
import signal
from pathlib import Path
from typing import Any

import click

from verirank.cli._watch import Watch
from verirank.config import InputError


def run_and_report(study: Any, out: Path, **options: Any) -> None:
    """Run a study, print and write its report; exit code 1 where a trial failed."""
    click.echo(f"{study.name}: loading torch takes a few seconds")
    from verirank.study import run_study

    before = signal.signal(signal.SIGINT, _stop)
    try:
        with Watch(out) as watch:
            # Said once a trial was placed: before that, what is wrong with the study is told.
            first = iter([f"trials are recorded in {out} and can be stopped at any time"])

            def on_poll() -> None:
                for line in first:
                    click.echo(line)
                watch.refresh()

            outcomes = run_study(study, out, on_poll=on_poll, **options)
    except KeyboardInterrupt:
        click.echo(_goes_on(out), err=True)
        raise
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        # No trial could write either: the study ends, and what is on disk is whole.
        click.echo(f"verirank: the disk is full; free some space, and {_goes_on(out)}", err=True)
        raise SystemExit(1) from None
    finally:
        signal.signal(signal.SIGINT, before)
    failed = [outcome for outcome in outcomes if outcome.error]
    for outcome in failed:
        click.echo(f"failed: {outcome.folder.name}: {outcome.error}", err=True)
    if len(failed) == len(outcomes):
        raise SystemExit(1)
    from verirank.report import print_confounds, print_leaderboard, read_confounds, write_report

    try:
        print_leaderboard(write_report([out], out))
        if confounds := read_confounds(out):
            print_confounds(confounds)
        click.echo(f"report: {out / 'report.html'}")
    except InputError as error:
        click.echo(f"no report: {error}", err=True)
        raise SystemExit(1) from None
    if failed:
        click.echo(f"with what failed by the machine's fault, {_goes_on(out)}", err=True)
        raise SystemExit(1)


def _stop(number: int, frame: object) -> None:
    """Say what Ctrl-C begins, which takes as long as a step; the next one ends all at once."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    click.echo("stopping: every trial ends its step and leaves a checkpoint", err=True)
    raise KeyboardInterrupt


def _goes_on(out: Path) -> str:
    return f"the study goes on with: verirank study resume {out}"
