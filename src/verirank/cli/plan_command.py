"""`verirank plan`: what a preset or study needs, from shapes alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from verirank.cli._study_argument import STUDY
from verirank.config import InputError, nearest, preset_names
from verirank.study import Study, make_study, read_study, study_names

_HELP = f"""Tell trials, trainable counts, tokens, FLOPs, memory and GPU-hours; needs no model.

An estimate: every group is taken to train and none to be drawn twice. The formula stands in
docs/planning.md. `verirank study plan` measures what a study costs on this machine.

PRESET is one of {", ".join(preset_names())}.

{STUDY}
"""


@click.command(help=_HELP)
@click.argument("source", metavar="PRESET|STUDY")
@click.option("--gpu", "gpu_name", default="h100", show_default=True, help="h200, a100-80gb, ...")
@click.option(
    "--prompt-tokens",
    type=click.IntRange(1),
    default=150,
    show_default=True,
    help="Of a problem, on average.",
)
@click.option(
    "--completion-tokens", type=click.IntRange(1), help="On average; half the limit by default."
)
@click.option(
    "--utilisation",
    type=click.FloatRange(0, 1, min_open=True),
    help="Share of the GPU's bf16 peak that is reached; by default what training reached on an "
    "H200. Sampling is taken to reach as much.",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
    source: str,
    gpu_name: str,
    prompt_tokens: int,
    completion_tokens: int | None,
    utilisation: float | None,
    as_json: bool,
) -> None:
    """Print a line for every arm, and the totals."""
    study = _study(source)
    from verirank.planning import UTILISATION, gpu

    on, utilisation = gpu(gpu_name), utilisation or UTILISATION
    rows = [
        _row(arm, len(study.seeds), on, utilisation, prompt_tokens, completion_tokens)
        for arm in study.arms()
    ]
    if as_json:
        return click.echo(json.dumps({"gpu": on.name, "arms": rows}, indent=2))
    from rich.console import Console

    console = Console()
    console.print(_table(rows, on.name))
    hours = sum(row["gpu_hours"] * row["trials"] for row in rows)
    trials = sum(row["trials"] for row in rows)
    console.print(
        f"{trials} trials, about {_number(hours, 0)} hours of one {on.name} at "
        f"{100 * utilisation:g} % of its peak; completions of "
        f"{rows[0]['completion_tokens']:,} tokens on average are assumed."
    )
    return None


def _study(source: str) -> Study:
    if source in study_names() or Path(source).suffix == ".toml":
        return read_study(source)
    if source in preset_names():
        return make_study({"name": source, "preset": source})
    known = sorted({*preset_names(), *study_names()})
    raise InputError(f"no preset or study {source!r}{nearest(source, known)}")


def _row(
    arm: Any,
    seeds: int,
    on: Any,
    utilisation: float,
    prompt: int,
    completion: int | None,
) -> dict[str, Any]:
    from verirank.methods import create_method
    from verirank.models import load_shape
    from verirank.planning import Lengths, memory_of, token_limit, usual_lengths, work_of

    lengths = usual_lengths(arm, prompt, completion)
    shape = load_shape(arm.model)
    work = work_of(arm, shape, lengths)
    memory = memory_of(arm, shape, Lengths(prompt, token_limit(arm)), on)
    return {
        "method": arm.method.name,
        "algorithm": arm.algorithm.name,
        "rank": arm.method.model_dump().get("rank"),
        "learning_rate": arm.method.learning_rate,
        "trials": seeds,
        "trainable_parameters": create_method(arm.method).count(shape),
        "completion_tokens": lengths.completion,
        "sampled_tokens": work.sampled_tokens,
        "trained_tokens": work.trained_tokens,
        "flops": work.flops,
        "memory_bytes": memory.total,
        "fits": memory.total <= on.memory_bytes,
        "gpu_hours": work.flops / (on.flops * utilisation) / 3600,
    }


def _table(rows: list[dict[str, Any]], name: str) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("method", "algorithm", "rank", "lr"):
        table.add_column(title, no_wrap=True)
    for title in ("trials", "trainable", "tokens", "PFLOP", "memory", "hours"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["method"],
            row["algorithm"],
            str(row["rank"] or ""),
            f"{row['learning_rate']:g}",
            str(row["trials"]),
            f"{row['trainable_parameters']:,}",
            f"{_number(row['sampled_tokens'] / 1e6, 1)} M",
            _number(row["flops"] / 1e15, 2),
            f"{row['memory_bytes'] / 1e9:.1f} GB" + ("" if row["fits"] else f" > {name}"),
            _number(row["gpu_hours"], 2),
        )
    return table


def _number(value: float, decimals: int) -> str:
    """Return a number in so many decimals; a small one in three significant digits."""
    return f"{value:,.{decimals}f}" if value >= 10 else f"{value:.3g}"
