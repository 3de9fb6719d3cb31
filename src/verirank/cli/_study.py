"""Running a study from a command: the live table, then the leaderboard and what failed."""

from __future__ import annotations

import errno
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from verirank.cli._watch import Watch
from verirank.config import InputError
from verirank.record import read_trial_list

if TYPE_CHECKING:
    from verirank.study import Outcome

_PAGE = "report.html"
"""What a report writes last."""


def run_and_report(study: Any, out: Path, **options: Any) -> None:
    """Run a study, print and write its report; exit code 1 where a trial failed.

    Where nothing was left to run, a report that is there stands as it is.
    """
    click.echo(f"{study.name}: loading torch takes a few seconds")
    outcomes = _run(study, out, **options)
    failed = [outcome for outcome in outcomes if outcome.error]
    for outcome in failed:
        click.echo(f"failed: {outcome.folder.name}: {outcome.error}", err=True)
    if _is_reported(out):
        ended = "nothing was left to run" if failed else "the study is finished"
        click.echo(f"{ended}, and its report as it was: {out / _PAGE}")
        reported = True
    else:
        reported = len(failed) < len(outcomes) and _report(out)
    for way in _ways_on(failed, out):
        click.echo(way, err=True)
    if failed or not reported:
        raise SystemExit(1)


def _run(study: Any, out: Path, **options: Any) -> list[Outcome]:
    from verirank.study import run_study

    before = signal.signal(signal.SIGINT, _stop)
    begun = False
    try:
        with Watch(out) as watch:

            def on_poll() -> None:
                nonlocal begun
                # Once a trial was placed: before that, what is wrong with the study is told.
                if not begun:
                    begun = True
                    click.echo(f"trials are recorded in {out} and can be stopped at any time")
                watch.refresh()

            return run_study(study, out, on_poll=on_poll, **options)
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


def _is_reported(out: Path) -> bool:
    """Return whether the report in a study's folder is as young as all that it tells of."""
    listed = read_trial_list(out)
    if listed is None or not all((out / name).is_file() for name in (_PAGE, "leaderboard.json")):
        return False
    told = [out / "trials.json", out / "search.json"]
    told += [listed.folder(entry) / "manifest.json" for entry in listed.entries]
    written = (out / _PAGE).stat().st_mtime_ns
    return all(file.stat().st_mtime_ns <= written for file in told if file.is_file())


def _report(out: Path) -> bool:
    """Print and write the report; return whether there is one."""
    from verirank.report import print_confounds, print_leaderboard, read_confounds, write_report

    try:
        print_leaderboard(write_report([out], out), folders=[out])
        if confounds := read_confounds(out):
            print_confounds(confounds)
    except InputError as error:
        click.echo(f"no report: {error}", err=True)
        return False
    click.echo(f"report: {out / _PAGE}")
    return True


def _stop(number: int, frame: object) -> None:
    """Say what Ctrl-C begins, which takes as long as a step; the next one ends all at once."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    click.echo("stopping: every trial ends its step and leaves a checkpoint", err=True)
    raise KeyboardInterrupt


def _goes_on(out: Path) -> str:
    return f"the study goes on with: {_resume(out)}"


def _resume(out: Path) -> str:
    return f"verirank study resume {out}"


def _ways_on(failed: Sequence[Outcome], out: Path) -> Iterator[str]:
    """Yield what runs trials again that failed, by whose fault that was."""
    if not all(outcome.for_good for outcome in failed):
        yield f"what failed by the machine's fault is run again with: {_resume(out)}"
    if any(outcome.for_good for outcome in failed):
        yield f"what failed by its own fault is run again with: {_resume(out)} --retry-failed"
