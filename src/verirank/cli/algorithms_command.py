"""`verirank algorithms`."""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.table import Table

from verirank.cli._new_package import new_command
from verirank.config import load_plugin, plugin_names


@click.group("algorithms", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every default.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the RL algorithms with their papers and defaults."""
    if context.invoked_subcommand:
        return
    plugins = [load_plugin("algorithm", name) for name in plugin_names("algorithm")]
    rows = [
        {
            "name": plugin.name,
            "reference": plugin.reference,
            "summary": plugin.summary,
            "defaults": plugin.Config().model_dump(mode="json", exclude={"name"}),
        }
        for plugin in plugins
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table("name", "reference", "summary", "defaults", box=None)
    for row in rows:
        defaults = "\n".join(f"{key} = {value}" for key, value in row["defaults"].items())
        table.add_row(row["name"], row["reference"], row["summary"], defaults)
    Console().print(table)


command.add_command(new_command("algorithm"))
