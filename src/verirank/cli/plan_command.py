"""`verirank plan`: what a preset or study needs, from shapes alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from verirank.cli._finite_range import FiniteRange
from verirank.cli._study_argument import STUDY
from verirank.config import InputError, nearest, preset_names
from verirank.record import duration
from verirank.study import Study, make_study, read_study, study_names

_HELP = f"""Estimate tokens, FLOPs, memory and GPU-hours from shapes alone.

Shows what takes the time and which setting would shorten it; docs/planning.md has the formulas.
A learning-rate search counts in full, though rates that are surely worse end earlier.
`verirank study plan` measures what a study costs on this machine.

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
    help="Mean tokens per prompt.",
)
@click.option(
    "--completion-tokens",
    type=click.IntRange(1),
    help="Mean tokens per completion; half the limit by default.",
)
@click.option(
    "--utilisation",
    type=FiniteRange(0, 1, min_open=True),
    help="Fraction of the GPU's bf16 peak that training reaches; by default as on an H200.",
)
@click.option(
    "--at-limit",
    type=FiniteRange(0, 1, min_open=True, max_open=True),
    help="Fraction of completions that reach the token limit (default 0.12).",
)
@click.option(
    "--kept",
    type=FiniteRange(0, 1, min_open=True),
    help="Fraction of groups whose rewards differ (default 0.5).",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
    source: str,
    gpu_name: str,
    prompt_tokens: int,
    completion_tokens: int | None,
    utilisation: float | None,
    at_limit: float | None,
    kept: float | None,
    as_json: bool,
) -> None:
    """Print a line for every arm, the totals, and what would shorten them."""
    study = _study(source)
    from verirank.planning import KEPT, UTILISATION, gpu, usual_lengths

    on = gpu(gpu_name)
    assumed = {
        "at_limit": at_limit,
        "kept": kept or KEPT,
        "utilisation": utilisation or UTILISATION,
    }
    rows, planned = [], []
    for arm in study.arms():
        trial = arm.trial(study.seeds[0])
        lengths = usual_lengths(trial, prompt_tokens, completion_tokens)
        planned.append((trial, lengths))
        row = _row(trial, on, lengths, assumed)
        rows.append(row | _counts(study, arm, row, on, lengths, assumed))
    if as_json:
        return click.echo(json.dumps({"gpu": on.name, "arms": rows}, indent=2))
    from rich.console import Console

    console = Console()
    console.print(_table(rows, on.name))
    console.print(_totals(rows, on.name))
    for advice in _advice(planned, on, assumed):
        console.print(advice)
    return None


def _study(source: str) -> Study:
    if source in study_names() or Path(source).suffix == ".toml":
        return read_study(source)
    if source in preset_names():
        return make_study({"name": source, "preset": source})
    known = sorted({*preset_names(), *study_names()})
    raise InputError(f"no preset or study {source!r}{nearest(source, known)}")


def _counts(
    study: Study, arm: Any, row: dict[str, Any], on: Any, lengths: Any, assumed: dict[str, Any]
) -> dict[str, Any]:
    """Return how many trials of an arm there are at most, and the hours of all of them."""
    from verirank.models import load_shape
    from verirank.planning import hours_of
    from verirank.study import most_trials

    ranked, searched, trial = most_trials(study, arm)
    hours = hours_of(trial, load_shape(trial.model), lengths, on, **assumed)
    # The base's samples on the search's bench are not scored.
    a_search = hours.total - hours.evaluation / 2 if searched else 0.0
    return {
        "trials": ranked,
        "search_trials": searched,
        "gpu_hours_search": a_search,
        "gpu_hours_all": ranked * row["gpu_hours"] + searched * a_search,
    }


def _row(arm: Any, on: Any, lengths: Any, assumed: dict[str, Any]) -> dict[str, Any]:
    from verirank.methods import create_method
    from verirank.models import load_shape
    from verirank.planning import Lengths, hours_of, memory_of, token_limit, work_of

    shape = load_shape(arm.model)
    work = work_of(arm, shape, lengths)
    hours = hours_of(arm, shape, lengths, on, **assumed)
    memory = memory_of(arm, shape, Lengths(lengths.prompt, token_limit(arm)), on)
    return {
        "method": arm.method.name,
        "algorithm": arm.algorithm.name,
        "rank": arm.method.model_dump().get("rank"),
        "learning_rate": arm.method.learning_rate,
        "trainable_parameters": create_method(arm.method).count(shape),
        "completion_tokens": lengths.completion,
        "sampled_tokens": work.sampled_tokens,
        "trained_tokens": work.trained_tokens,
        "flops": work.flops,
        "memory_bytes": memory.total,
        "fits": memory.total <= on.memory_bytes,
        "gpu_hours": hours.total,
        **{f"gpu_hours_{part}": value for part, value in asdict(hours).items()},
    }


def _totals(rows: list[dict[str, Any]], name: str) -> str:
    ranked, searched = (sum(row[key] for row in rows) for key in ("trials", "search_trials"))
    hours = sum(row["gpu_hours"] * row["trials"] for row in rows)
    parts = {
        part: sum(row[f"gpu_hours_{part}"] * row["trials"] for row in rows) / hours
        for part in ("sampling", "training", "evaluation", "other")
    }
    breakdown = ", ".join(f"{part} {100 * fraction:.0f} %" for part, fraction in parts.items())
    seeds = rows[0]["trials"]
    arms = f"{len(rows)} arm{'s' * (len(rows) > 1)}"
    of = f"{arms}, {seeds} seed{'s' * (seeds > 1)} each: {ranked} trials"
    every = sum(row["gpu_hours_all"] for row in rows)
    search = f" and at most {searched} of the search" if searched else ""
    return (
        f"{of}{search}, about {_time(every)} of one {name}. Of a ranked trial: {breakdown}. "
        f"Completions of {rows[0]['completion_tokens']:,} tokens on average are assumed."
    )


def _advice(planned: list[tuple[Any, Any]], on: Any, assumed: dict[str, Any]) -> Iterator[str]:
    """Yield what each of some changes of the sampler would save, where that is over 5 %."""
    from verirank.models import load_shape
    from verirank.planning import hours_of

    def hours(change: dict[str, Any]) -> float:
        return sum(
            hours_of(_with(arm, change), load_shape(arm.model), lengths, on, **assumed).total
            for arm, lengths in planned
        )

    now = hours({})
    for words, change in _CHANGES.items():
        saved = 1 - hours(change) / now
        if saved > 0.05:
            yield f"{words} would save {100 * saved:.0f} %."


_CHANGES: dict[str, dict[str, Any]] = {
    'sampling.sampler = "vllm"': {"sampler": "vllm"},
    "CUDA graphs (sampling.vllm.enforce_eager = false)": {"enforce_eager": False},
    "sampling.vllm.max_num_seqs = 512": {"max_num_seqs": 512},
}


def _with(arm: Any, change: dict[str, Any]) -> Any:
    """Return an arm with other settings of its sampler."""
    vllm = {name: value for name, value in change.items() if name != "sampler"}
    sampling = arm.sampling.model_copy(
        update={
            "sampler": change.get("sampler", arm.sampling.sampler),
            "vllm": arm.sampling.vllm.model_copy(update=vllm),
        }
    )
    return arm.model_copy(update={"sampling": sampling})


def _table(rows: list[dict[str, Any]], name: str) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("method", "algorithm", "rank", "lr"):
        table.add_column(title, no_wrap=True)
    searches = any(row["search_trials"] for row in rows)
    for title in (
        "trials",
        *(["search"] if searches else []),
        "trainable",
        "tokens",
        "PFLOP",
        "memory",
        "a trial",
        "sampling",
        "training",
    ):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["method"],
            row["algorithm"],
            str(row["rank"] or ""),
            f"{row['learning_rate']:g}",
            str(row["trials"]),
            *([str(row["search_trials"])] if searches else []),
            f"{row['trainable_parameters']:,}",
            f"{_number(row['sampled_tokens'] / 1e6, 1)} M",
            _number(row["flops"] / 1e15, 2),
            f"{row['memory_bytes'] / 1e9:.1f} GB" + ("" if row["fits"] else f" > {name}"),
            *(_time(row[f"gpu_hours{part}"]) for part in ("", "_sampling", "_training")),
        )
    return table


def _time(hours: float) -> str:
    """Return hours in the largest unit that suits them."""
    return f"{hours:,.0f} h" if hours >= 100 else duration(3600 * hours)


def _number(value: float, decimals: int) -> str:
    """Return a number in so many decimals; a small one in three significant digits."""
    return f"{value:,.{decimals}f}" if value >= 10 else f"{value:.3g}"
