"""`verirank recommend`."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import click

from verirank.cli._uncollected import uncollected
from verirank.config import InputError

_SIZES = {"MB": 1e6, "GB": 1e9, "TB": 1e12, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


@click.command()
@click.argument("folders", nargs=-1, required=True, metavar="STUDY...")
@click.option("--memory", "budget", metavar="SIZE", help="The most that training may take: 24GB.")
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True),
    help="The longest that search, training and evaluation may take.",
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
    from verirank.report import INDEX, build_leaderboard, recommend

    paths = [Path(folder) for folder in folders]
    index = paths[0] / INDEX
    board = build_leaderboard(paths, index if index.is_file() else None)
    found = recommend(board, paths, memory_bytes=memory, seconds=hours and 3600 * hours)
    if as_json:
        return click.echo(json.dumps(asdict(found), indent=2))
    rank = f", rank {found.rank}" if found.rank else ""
    rate = f", learning rate {found.learning_rate:g}" if found.learning_rate else ""
    click.echo(f"Use {found.label}{rank}{rate}.")
    click.echo(found.reason)


def _bytes(text: str) -> float:
    found = re.fullmatch(r"\s*([0-9.]+)\s*([MGT]I?B)\s*", text.upper())
    if not found:
        raise InputError(f"--memory takes a size such as 24GB, not {text!r}")
    return float(found[1]) * _SIZES[found[2]]
