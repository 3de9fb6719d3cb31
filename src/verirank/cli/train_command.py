"""`verirank train`."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from verirank.cli.tables import progress
from verirank.config import (
    InputError,
    MethodConfig,
    TrainingConfig,
    TrialConfig,
    by_dotted_key,
    expect_settings,
    for_methods,
    for_task,
    is_problem_file,
    override,
    preset_names,
    read_settings,
    resolve,
)
from verirank.record import Run, execute_as, expect_unedited

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


def _default(option: str) -> str:
    """Return the default of a short option in words."""
    value: Any = TrialConfig()
    for part in _SHORT[option].split("."):
        value = getattr(value, part)
    return f"{value} (default)"


@click.command(
    help=f"Train one trial. CONFIG is a TOML file or a preset: {', '.join(preset_names())}."
)
@click.argument("config", required=False)
@click.option("--model", help=f"{_default('model')}, smollm2, a folder, or a hub id.")
@click.option(
    "--task", help=f"{_default('task')}, another task, or your problems: a file or owner/name."
)
@click.option("--method", help=f"{_default('method')}, or another of `verirank methods`.")
@click.option("--algorithm", help=f"{_default('algorithm')}, or another of `verirank algorithms`.")
@click.option("--steps", type=int, help=f"Training steps; {_default('steps')}.")
@click.option("--seed", type=int, help=f"The trial's seed; {_default('seed')}.")
@click.option(
    "--sampler",
    type=click.Choice(["transformers", "vllm"]),
    help=f"{_default('sampler')}; vllm needs `make vllm`.",
)
@click.option("--device", help=f"{_default('device')}, cpu, cuda or mps.")
@click.option(
    "--tracker",
    "trackers",
    multiple=True,
    callback=lambda context, option, names: list(names) or None,
    help="Report to tensorboard, wandb (offline), trackio or mlflow. Repeatable.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any other setting, such as method.rank=8; --dry-run lists them all. Repeatable.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="RUN", help="Folder of a new run.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Continue a run.")
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
        if config or given or out:
            raise InputError(
                "--resume takes its settings from the run; only --set may change how it is "
                "executed: machine, checkpoint, verifier.workers, vLLM's engine"
            )
        return _resume(resume, assignments)
    settings = override(read_settings(config), [*given, *assignments])
    if dry_run:
        from verirank.cli._resolved import resolved_toml

        return click.echo(resolved_toml(_trial(config, [*given, *assignments])), nl=False)
    if out is None:
        raise InputError("say where the run goes: --out RUN")
    Run.expect_free(out)
    expect_settings(settings)
    _expect_task_file(short["task"])
    _say_first(f"a new run, recorded in {out}; loading torch takes a few seconds")
    trial = _trial(config, [*given, *assignments])
    from verirank.models import device_of, load_base
    from verirank.processes import expect_same, joined, on_first
    from verirank.trial import expect_possible, start_trial

    with joined(device_of(trial.machine.device).type), _sigterm_as_ctrl_c():
        expect_same({"--out": str(out), **_flat(trial.model_dump(mode="json"))})
        on_first(lambda: expect_possible([trial]))
        base = load_base(trial.model, trial.machine.device)
        base.expect_trainable()
        _run(out, lambda: on_first(lambda: start_trial(trial, out)), base)


def _trial(source: str | None, assignments: list[str]) -> TrialConfig:
    """Return the trial of a file or preset with the user's settings; this imports the plugins."""
    settings = read_settings(source)
    if source in preset_names():
        chosen = override(settings, assignments)
        expect_settings(chosen)
        named = chosen.get("method", {}).get("name", MethodConfig().name)
        task = chosen.get("task", {}).get("name")
        settings = for_task(for_methods(settings, named), task)
    return resolve(override(settings, assignments))


def _resume(folder: Path, assignments: tuple[str, ...]) -> None:
    run = Run.open(folder)
    if run.manifest["status"] == "done":
        return click.echo(f"{folder} is done already; nothing to resume")
    expect_unedited(run)
    if assignments:
        execute_as(run, resolve(override(run.settings, assignments)))
    _say_first(f"going on with the run in {folder}; loading torch takes a few seconds")
    device = run.config.machine.device
    from verirank.models import device_of, load_base
    from verirank.processes import expect_same, joined

    with joined(device_of(device).type), _sigterm_as_ctrl_c():
        expect_same({"--resume": str(folder), **_flat(run.settings)})
        _run(folder, lambda: run, load_base(run.config.model, device))


def _expect_task_file(task: str | None) -> None:
    if task is not None and is_problem_file(task) and not Path(task).is_file():
        raise InputError(f"there is no file {task}; --task takes a task's name or such a file")


def _say_first(message: str) -> None:
    """Print what comes, before anything that takes long; of torchrun's processes one speaks."""
    if os.environ.get("RANK", "0") == "0":
        click.echo(message)


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Let what a scheduler or `kill` sends stop a run as Ctrl-C does, also before it trains."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(folder: Path, opened: Callable[[], Run], base: Any) -> None:
    from verirank.processes import is_first
    from verirank.tasks import load_task
    from verirank.trial import run_trial, within_reach

    if not is_first():
        return run_trial(opened(), base)
    try:
        run = opened()
        for remark in load_task(run.config.task).remarks():
            click.echo(f"note: {remark}")
        click.echo(_what_comes(run))
        if remark := _short_warmup(run.config.training):
            click.echo(remark)
        base = within_reach(run.config, base)
        if base.form:
            reason = f"{base.name} has {base.form}"
            click.echo(f"{reason}: transformers' own forward pass is used, which is slower")
        with progress(run.config, len(run.metrics())) as on_step:
            run_trial(run, base, on_base=_say_before(run.config, base), on_step=on_step)
    except KeyboardInterrupt:
        # There, though it may not train yet; or done, and its scores were just being printed.
        if (folder / "manifest.json").is_file() and (run := Run.open(folder)).status != "done":
            run.update_manifest(status="stopped")
            click.echo(f"the run goes on with: verirank train --resume {folder}", err=True)
        raise
    _print_scores(run)


def _say_before(config: TrialConfig, base: Any) -> Callable[[Any], None]:
    """Return what prints the base's answers and the trial's expected cost, before training."""
    from verirank.trial import expected_cost

    def say(outlook: Any) -> None:
        for line in (str(outlook), *outlook.remarks()):
            click.echo(line)
        click.echo(f"expected: {expected_cost(config, base.shape, outlook)}")

    return say


def _what_comes(run: Run) -> str:
    config = run.config
    vllm = ["vLLM starts, which takes about a minute"] * (config.sampling.sampler == "vllm")
    parts = [f"{config.method.name} is proved on this model", *vllm, "the base is scored", "then"]
    steps = config.training.steps
    return f"{', '.join(parts)} {steps} training step{'' if steps == 1 else 's'}"


def _short_warmup(training: TrainingConfig) -> str:
    """Return what to know of a warm-up that the run does not outlast, or ""."""
    if training.warmup_steps <= training.steps:
        return ""
    reached = 100 * training.steps / training.warmup_steps
    return (
        f"the warm-up of {training.warmup_steps} steps is longer than the run: the learning rate "
        f"ends at {reached:.0f} % of method.learning_rate (training.warmup_steps)"
    )


def _print_scores(run: Run) -> None:
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
