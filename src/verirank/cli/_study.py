"""Running a study from a command: the live table, then the leaderboard and what failed."""

from __future__ import annotations

import errno
import signal
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from verirank.cli.tables import Watch
from verirank.config import InputError
from verirank.record import read_trial_list

if TYPE_CHECKING:
    from verirank.study import Outcome

_PAGE = "report.html"
"""What a report writes last."""
_MOST_ALIKE = 2
"""Trials with the same error that are named one by one."""


def run_and_report(study: Any, out: Path, **options: Any) -> None:
    """Run a study, print and write its report; exit code 1 where a trial failed.

    Where nothing was left to run, a report that is there stands as it is.
    """
    click.echo(f"{study.name}: loading torch takes a few seconds")
    _print_remarks(study)
    outcomes, failed = _run_and_say(study, out, **options)
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


def run_part(study: Any, out: Path, part: tuple[int, int], **options: Any) -> None:
    """Run a part of a study's arms without a report; exit code 1 where a trial failed."""
    click.echo(f"{study.name}, part {part[0]} of {part[1]}: loading torch takes a few seconds")
    outcomes, failed = _run_and_say(study, out, part=part, **options)
    ended = len(outcomes) - len(failed)
    click.echo(f"part {part[0]} of {part[1]}: {ended} of {len(outcomes)} ranked trials ended well")
    if failed:
        raise SystemExit(1)


def _run_and_say(study: Any, out: Path, **options: Any) -> tuple[list[Outcome], list[Outcome]]:
    """Run a study; print which trials failed; return all outcomes, and theirs."""
    outcomes = _run(study, out, **options)
    failed = [outcome for outcome in outcomes if outcome.error]
    for line in _failures(failed):
        click.echo(line, err=True)
    return outcomes, failed


def _failures(failed: Sequence[Outcome]) -> Iterator[str]:
    """Yield a line for each failed trial, or one for many that failed for the same reason."""
    folders = defaultdict[str | None, list[str]](list)
    for outcome in failed:
        folders[outcome.error].append(outcome.folder.name)
    for error, names in folders.items():
        if len(names) > _MOST_ALIKE:
            yield f"failed: {len(names)} trials, among them {names[0]}: {error}"
        else:
            yield from (f"failed: {name}: {error}" for name in names)


def _print_remarks(study: Any) -> None:
    """Print what a user should know of the study's problems."""
    from verirank.tasks import load_task

    tasks = {arm.settings.task.model_dump_json(): arm.settings.task for arm in study.arms()}
    for task in tasks.values():
        for remark in load_task(task).remarks():
            click.echo(f"note: {remark}")


def _run(study: Any, out: Path, **options: Any) -> list[Outcome]:
    from verirank.study import FirstLook, run_study

    in_parts = options.get("part") is not None
    goes_on = (
        "the same command continues it" if in_parts else f"the study goes on with: {_resume(out)}"
    )
    # A batch system asks by SIGTERM: Slurm at a preemption, a time limit or scancel.
    before = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM)}
    begun, first_look = False, FirstLook(study, out)
    try:
        with Watch(out) as watch:

            def on_poll() -> None:
                nonlocal begun
                # Only once a trial has started: before that, errors in the study are printed.
                if not begun:
                    begun = True
                    click.echo(f"trials are recorded in {out} and can be stopped at any time")
                for line in first_look.lines():
                    click.echo(line)
                watch.refresh()

            outcomes = run_study(study, out, on_poll=on_poll, **options)
        for line in first_look.lines() if begun else ():  # what came after the last poll
            click.echo(line)
        return outcomes
    except KeyboardInterrupt:
        click.echo(goes_on, err=True)
        raise
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise
        # No trial could write either: the study ends, and what is on disk is whole.
        click.echo(f"verirank: the disk is full; free some space, and {goes_on}", err=True)
        raise SystemExit(1) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_reported(out: Path) -> bool:
    """Return whether the report in a study's folder is newer than all that it is made from."""
    listed = read_trial_list(out)
    if listed is None or not all((out / name).is_file() for name in (_PAGE, "leaderboard.json")):
        return False
    inputs = [out / "trials.json", out / "search.json", out / "race.json"]
    inputs += [listed.folder(entry) / "manifest.json" for entry in listed.entries]
    written = (out / _PAGE).stat().st_mtime_ns
    return all(file.stat().st_mtime_ns <= written for file in inputs if file.is_file())


def _report(out: Path) -> bool:
    """Print and write the report; return whether there is one."""
    from verirank.ranking import read_confounds
    from verirank.report import print_advice, print_confounds, print_leaderboard, write_report

    try:
        board = write_report([out], out)
        print_leaderboard(board, folders=[out])
        if confounds := read_confounds(out):
            print_confounds(confounds)
        print_advice(board, [out])
    except InputError as error:
        click.echo(f"no report: {error}", err=True)
        return False
    click.echo(f"report: {out / _PAGE}")
    return True


def _stop(number: int, frame: object) -> None:
    """Say what Ctrl-C or SIGTERM begins, which takes as long as a step; a second ends all."""
    signal.signal(number, signal.default_int_handler)
    click.echo("stopping: every trial ends its step and leaves a checkpoint", err=True)
    raise KeyboardInterrupt


def _resume(out: Path) -> str:
    return f"verirank study resume {out}"


def _ways_on(failed: Sequence[Outcome], out: Path) -> Iterator[str]:
    """Yield what runs trials again that failed, by whose fault that was."""
    if not all(outcome.for_good for outcome in failed):
        yield f"what failed by the machine's fault is run again with: {_resume(out)}"
    if any(outcome.for_good for outcome in failed):
        yield f"what failed by its own fault is run again with: {_resume(out)} --retry-failed"
