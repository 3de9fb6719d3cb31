"""`verirank train`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from verirank.config import (
    InputError,
    by_dotted_key,
    override,
    preset_names,
    read_settings,
    resolve,
    to_toml,
)

_SHORT = {
    "model": "model.name",
    "task": "task.name",
    "method": "method.name",
    "algorithm": "algorithm.name",
    "sampler": "sampling.sampler",
    "steps": "training.steps",
    "seed": "seed",
    "device": "machine.device",
    "trackers": "machine.trackers",
}


@click.command(
    help=f"Train one trial. CONFIG is a TOML file or a preset: {', '.join(preset_names())}."
)
@click.argument("config", required=False)
@click.option("--model", help="micro, smollm2, a folder, or a hub id.")
@click.option("--task", help="A task's name, or a JSONL file of {id, problem, answer}.")
@click.option("--method", help="See `verirank methods`.")
@click.option("--algorithm", help="See `verirank algorithms`.")
@click.option("--steps", type=int, help="Training steps.")
@click.option("--seed", type=int, help="The trial's seed.")
@click.option(
    "--sampler", type=click.Choice(["transformers", "vllm"]), help="transformers by default."
)
@click.option("--device", help="auto (default), cpu, cuda or mps.")
@click.option(
    "--tracker",
    "trackers",
    multiple=True,
    callback=lambda context, option, names: list(names) or None,
    help="Told every step: tensorboard, wandb (offline), trackio or mlflow. Repeatable.",
)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any other setting.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="RUN", help="Folder of the new run."
)
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with a run.")
@click.option("--dry-run", is_flag=True, help="Print the resolved TOML and stop.")
def command(
    config: str | None,
    assignments: tuple[str, ...],
    out: Path | None,
    resume: Path | None,
    dry_run: bool,
    **short: Any,
) -> None:
    """Start or resume a run, with a progress bar, and print its scores."""
    given = [f"{_SHORT[key]}={_toml(value)}" for key, value in short.items() if value is not None]
    if resume is not None:
        if config or given or assignments or out:
            raise InputError("--resume takes its settings from the run; give it alone")
        return _resume(resume)
    trial = resolve(override(read_settings(config), [*given, *assignments]))
    if dry_run:
        return click.echo(to_toml(trial), nl=False)
    if out is None:
        raise InputError("say where the run goes: --out RUN")
    from verirank.models import device_of, load_base
    from verirank.processes import expect_same, joined, on_first
    from verirank.study import start_trial

    with joined(device_of(trial.machine.device).type):
        expect_same({"--out": str(out), **_flat(trial.model_dump(mode="json"))})
        base = load_base(trial.model, trial.machine.device)
        _run(on_first(lambda: start_trial(trial, out)), base)


def _resume(folder: Path) -> None:
    from verirank.models import device_of, load_base
    from verirank.processes import expect_same, joined
    from verirank.record import Run

    run = Run.open(folder)
    if run.manifest["status"] == "done":
        return click.echo(f"{folder} is done already; nothing to resume")
    device = run.config.machine.device
    with joined(device_of(device).type):
        expect_same({"--resume": str(folder), **_flat(run.settings)})
        _run(run, load_base(run.config.model, device))


def _run(run: Any, base: Any) -> None:
    from verirank.processes import is_first
    from verirank.study import run_trial

    if not is_first():
        return run_trial(run, base)
    try:
        with _progress(run.config, len(run.metrics())) as on_step:
            run_trial(run, base, on_step=on_step)
    except KeyboardInterrupt:
        click.echo(f"the run goes on with: verirank train --resume {run.folder}", err=True)
        raise
    _print_scores(run)


@contextmanager
def _progress(config: Any, done: int) -> Iterator[Any]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("reward {task.fields[reward]}"),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        name = f"{config.method.name} · {config.algorithm.name} · {config.task.name}"
        bar = progress.add_task(name, total=config.training.steps, completed=done, reward="–")

        def on_step(step: Any) -> None:
            reward = f"{step.metrics['reward_mean']:.3f}"
            progress.update(bar, completed=step.metrics["step"], reward=reward)

        yield on_step


def _print_scores(run: Any) -> None:
    if silent := sum(not line["groups_used"] for line in run.metrics()):
        click.echo(
            f"{silent} of {run.config.training.steps} steps had no signal: the rewards of every "
            "group were all equal, and nothing was learned from them"
        )
    for bench, s in run.scores.items():
        click.echo(
            f"{bench}: Avg@{s['k']} {s['base_avg_at_k']:.3f} → {s['avg_at_k']:.3f} "
            f"[{s['low']:.3f}, {s['high']:.3f}], Pass@{s['k']} {s['base_pass_at_k']:.3f} → "
            f"{s['pass_at_k']:.3f} ({s['n']} problems)"
        )
        if clean := s.get("without_overlap"):
            click.echo(
                f"  without the {s['n'] - clean['n']} problems that the training set holds: "
                f"Avg@{s['k']} {clean['base_avg_at_k']:.3f} → {clean['avg_at_k']:.3f} "
                f"[{clean['low']:.3f}, {clean['high']:.3f}]"
            )
    click.echo(f"run: {run.folder}")


def _toml(value: Any) -> str:
    """Return a string or a list of them as TOML."""
    return json.dumps(value, ensure_ascii=False)


def _flat(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return nested settings as text by dotted key."""
    return {key: str(value) for key, value in by_dotted_key(settings).items()}
