"""`verirank recommend`."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import click

from verirank.cli._finite_range import FiniteRange
from verirank.cli._uncollected import uncollected
from verirank.config import InputError

_SIZES = {"MB": 1e6, "GB": 1e9, "TB": 1e12, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


@click.command()
@click.argument("folders", nargs=-1, required=True, metavar="STUDY...")
@click.option("--memory", "budget", metavar="SIZE", help="Memory limit of training, such as 24GB.")
@click.option(
    "--hours",
    type=FiniteRange(min=0, min_open=True),
    help="Time limit of search, training and evaluation together.",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@uncollected()
def command(
    folders: tuple[str, ...], budget: str | None, hours: float | None, as_json: bool
) -> None:
    """Say which method, rank and learning rate to use, and how sure that is.

    Refuses, with exit code 2, where the study's evidence does not carry a recommendation.
    """
    memory = _bytes(budget) if budget else None
    from verirank.ranking import build_leaderboard, recommend
    from verirank.record import RUN_INDEX

    paths = [Path(folder) for folder in folders]
    index = paths[0] / RUN_INDEX
    board = build_leaderboard(paths, index if index.is_file() else None)
    chosen = recommend(board, paths, memory_bytes=memory, seconds=hours and 3600 * hours)
    if as_json:
        return click.echo(json.dumps(asdict(chosen), indent=2))
    from verirank.report import use

    click.echo(use(chosen))
    click.echo(chosen.reason)


def _bytes(text: str) -> float:
    size = re.fullmatch(r"\s*([0-9]{1,9}(?:\.[0-9]*)?)\s*([MGT]I?B)\s*", text.upper())
    if not size:
        raise InputError(f"--memory takes a size such as 24GB, not {text!r}")
    return float(size[1]) * _SIZES[size[2]]
