"""`verirank check`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from verirank.config import InputError, ModelConfig, expect_plugin, plugin_names

if TYPE_CHECKING:
    from verirank.methods import Report


@click.command()
@click.argument("method", default="all")
@click.option("--model", default="micro", show_default=True, help="micro, smollm2, folder, hub id.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(method: str, model: str, as_json: bool) -> int:
    """Prove that METHOD is what it says: ten checks with real training steps.

    Without METHOD, or with `all`, every installed method is checked that suits the model.
    """
    names = plugin_names("method") if method == "all" else (expect_plugin("method", method),)
    click.echo(
        f"checking {', '.join(names)} on {model}; loading torch takes a few seconds", err=True
    )
    from verirank.methods import check_methods, method_config

    configs = [method_config({"name": name}) for name in names]
    reports = check_methods(
        configs, ModelConfig(name=model), on_unsuited=_leave_out if method == "all" else None
    )
    if as_json:
        click.echo(json.dumps([asdict(report) for report in reports], indent=2))
    else:
        _print(reports)
    return 0 if all(report.passed for report in reports) else 1


def _leave_out(method: str, error: InputError) -> None:
    click.echo(f"{method} is left out: {error}", err=True)


def _print(reports: list[Report]) -> None:
    table = Table("method", "check", "", "detail", box=None)
    for report in reports:
        for check in report.checks:
            mark = "[green]pass[/]" if check.passed else "[red]FAIL[/]"
            table.add_row(report.method, check.name, mark, check.detail)
        table.add_section()
    console = Console()
    console.print(table)
    passed = sum(report.passed for report in reports)
    console.print(f"{passed} of {len(reports)} methods are what they say.")
