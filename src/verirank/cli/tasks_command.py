"""`verirank tasks`: what can be trained on."""

from __future__ import annotations

import json

import click

from verirank.config import load_plugin, plugin_names


@click.command("tasks")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def command(as_json: bool) -> None:
    """List the tasks with their benches and an example problem each."""
    rows = [_describe(load_plugin("task", name)) for name in plugin_names("task")]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(f"{row['name']}: {row['summary']}")
        click.echo(f"  benches: {', '.join(row['benches'])}")
        click.echo("  example: " + row["problem"].replace("\n", "\n           "))
        click.echo(f"  answer:  {row['answer']}\n")


def _describe(task) -> dict:
    example = task.example()
    return {
        "name": task.name,
        "summary": task.summary,
        "benches": list(task.benches),
        "problem": example.prompt,
        "answer": example.answer,
    }
