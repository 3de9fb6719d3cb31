"""`verirank tasks`: what can be trained on, and what a model is asked."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from verirank.cli._new_package import new_command
from verirank.config import load_plugin, plugin_names

_LONGEST = 4000
"""Characters of a prompt that are shown."""


@click.group("tasks", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the tasks with their benches and an example problem each."""
    if context.invoked_subcommand:
        return
    rows = [_describe(load_plugin("task", name)) for name in plugin_names("task")]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(f"{row['name']}: {row['summary']}")
        click.echo(f"  benches: {', '.join(row['benches'])}")
        click.echo("  example: " + row["problem"].replace("\n", "\n           "))
        click.echo(f"  answer:  {row['answer']}\n")


@command.command()
@click.argument("task")
@click.option("--model", default="micro", show_default=True, help="smollm2, a folder, or a hub id.")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="As in `verirank train`, such as task.template=few-shot. Repeatable.",
)
@click.option("-n", "shown", type=click.IntRange(1), default=3, show_default=True, help="Prompts.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(task: str, model: str, assignments: tuple[str, ...], shown: int, as_json: bool) -> None:
    """Print what MODEL is asked by TASK, a task's name or a file of problems.

    Shows rendered prompts with their gold answers, the size of each split and token lengths, and
    warns of what will not fit. Trains nothing and loads no weights.
    """
    from verirank.config import override, resolve
    from verirank.models import context_length, load_tokenizer
    from verirank.tasks import load_task, preview_task

    given = [f"task.name={json.dumps(task)}", f"model.name={json.dumps(model)}"]
    config = resolve(override({}, [*given, *assignments]))
    preview = preview_task(
        load_task(config.task),
        load_tokenizer(config.model),
        context=context_length(config.model),
        max_new_tokens=config.sampling.max_new_tokens,
        shown=shown,
    )
    if as_json:
        return click.echo(json.dumps(asdict(preview), indent=2))
    _print_preview(preview)
    return None


command.add_command(new_command("task"))


def _print_preview(preview: Any) -> None:
    from verirank.report import readable

    for prompt in preview.prompts:
        click.secho(readable(f"problem {prompt.id}  ({prompt.tokens} tokens)"), bold=True)
        text, more = prompt.text[:_LONGEST], len(prompt.text) - _LONGEST
        text += f"\n[{more:,} more characters]" if more > 0 else ""
        click.echo(readable(f"{text}\ngold: {prompt.gold}\n"))
    sizes = ", ".join(f"{name} {size}" for name, size in preview.splits.items())
    click.echo(f"problems: {sizes}")
    for name, lengths in (("prompts", preview.prompt_tokens), ("golds", preview.gold_tokens)):
        click.echo(
            f"{name}: {lengths.least} to {lengths.most} tokens, {lengths.median} in the median"
        )
    click.echo(f"completions: at most {preview.max_new_tokens} tokens")
    for remark in preview.remarks:
        click.echo(readable(f"note: {remark}"))
    for warning in preview.warnings:
        click.echo(readable(f"warning: {warning}"))


def _describe(task: Any) -> dict[str, Any]:
    example = task.example()
    return {
        "name": task.name,
        "summary": task.summary,
        "benches": list(task.benches),
        "problem": example.prompt,
        "answer": example.answer,
    }
