"""`verirank report`: runs on disk to a leaderboard and a page."""

from __future__ import annotations

from pathlib import Path

import click

from verirank.cli._uncollected import uncollected
from verirank.config import InputError
from verirank.ranking import read_confounds
from verirank.report import print_advice, print_confounds, print_leaderboard, write_report


@click.command()
@click.argument("folders", nargs=-1, required=True, metavar="FOLDER...")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Where to write; FOLDER if it is one alone."
)
@click.option("--json", "as_json", is_flag=True, help="Print leaderboard.json, not a table.")
@uncollected()
def command(folders: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Build the leaderboard and report.html from runs on disk.

    FOLDER is a run, or a folder that holds runs anywhere below. Writes leaderboard.json,
    leaderboard.csv, verdicts.json, comparisons.json, equal_time.json, equal_parameters.json,
    report.html, figures/ and data/; of a study with defects, confounds.json and confounds.csv too.
    """
    paths = [Path(folder) for folder in folders]
    if out is None and len(paths) > 1:
        raise InputError(
            f"{str(paths[0])!r} may hold a report of its own; say where one of several folders "
            "goes: --out FOLDER"
        )
    out = out or paths[0]
    board = write_report(paths, out)
    if as_json:
        click.echo(board.as_json(), nl=False)
        return
    print_leaderboard(board, folders=paths)
    if confounds := read_confounds(out):
        print_confounds(confounds)
    print_advice(board, paths)
    click.echo(f"\n{out / 'report.html'}")
