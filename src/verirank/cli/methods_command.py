"""`verirank methods`."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from verirank.cli._new_package import new_command
from verirank.config import InputError, nearest


@click.group("methods", invoke_without_command=True)
@click.option("--shape", help="Count parameters for this shape: qwen2-1.5b or qwen2-7b.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, shape: str | None, as_json: bool) -> None:
    """List the methods; with --shape, their exact trainable counts at the defaults."""
    if context.invoked_subcommand:
        return
    rows = _rows(shape)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table("name", "family", "reference", box=None)
    if shape:
        table.add_column("trainable", justify="right")
        table.add_column(f"% of {shape}", justify="right")
    for row in rows:
        table.add_row(row["name"], row["family"], row["reference"], *_counts(row))
    Console().print(table)


command.add_command(new_command("method"))


def _counts(row: dict[str, Any]) -> tuple[str, ...]:
    if "trainable_parameters" not in row:
        return ()
    trainable, total = row["trainable_parameters"], row["total_parameters"]
    return f"{trainable:,}", f"{100 * trainable / total:.3g}"


def _rows(shape: str | None) -> list[dict[str, Any]]:
    from verirank.methods import default_methods
    from verirank.models import SHAPES

    if shape is not None and shape not in SHAPES:
        raise InputError(f"unknown shape {shape!r}{nearest(shape, SHAPES)}")
    rows = []
    for method in default_methods():
        row: dict[str, Any] = {
            "name": method.name,
            "family": method.family,
            "reference": method.reference,
        }
        if shape is not None:
            row["trainable_parameters"] = method.count(SHAPES[shape])
            row["total_parameters"] = SHAPES[shape].parameters
        rows.append(row)
    return rows
