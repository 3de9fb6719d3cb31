"""The quickstart: every method trained on a small model, in minutes, on a laptop."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from verirank.config import (
    InputError,
    TrialConfig,
    load_plugin,
    override,
    read_settings,
    resolve,
    to_toml,
)
from verirank.methods import create_method
from verirank.models import ModelShape, load_base
from verirank.record import Run, usable_cores, write_json
from verirank.study._local import Outcome, one_thread_each, run_locally
from verirank.study._trial import start_trial


def quickstart_trials(
    preset: str, methods: Sequence[str], *, steps: int | None, seeds: Sequence[int]
) -> dict[str, TrialConfig]:
    """Return the trials by name: methods x seeds over one preset.

    Settings under `[method]` of the preset go to the methods that have them.

    Raises:
        InputError: a method is unknown.
    """
    trials = {}
    for seed in seeds:
        for method in methods:
            settings = read_settings(preset)
            known = load_plugin("method", method).Config.model_fields
            shared = settings.get("method", {})
            settings["method"] = {k: v for k, v in shared.items() if k in known} | {"name": method}
            changes = [f"seed={seed}"] + ([f"training.steps={steps}"] if steps else [])
            trials[f"{method}-seed{seed}"] = resolve(override(settings, changes))
    return trials


def run_trials(
    trials: dict[str, TrialConfig],
    out: Path,
    *,
    processes: int | None = None,
    on_poll: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """Run trials side by side under `out`/trials; those that are done already are left alone.

    Raises:
        InputError: `out` holds trials of the same names with other settings.
    """
    folders = {n: _start_or_resume(config, out / "trials" / n) for n, config in trials.items()}
    base = load_base(next(iter(trials.values())).model)
    _expect_base(base.fingerprint(), out / "base")
    _prepare(list(trials.values()), out / "base")
    # The longest first, so that no long one is left to run alone at the end.
    order = sorted(trials, key=lambda n: _gradient_size(trials[n], base.shape), reverse=True)
    outcomes = run_locally(
        [folders[name] for name in order],
        out / "base",
        processes=processes or usable_cores(),
        on_poll=on_poll,
    )
    by_name = dict(zip(order, outcomes, strict=True))
    return [by_name[name] for name in trials]


def _gradient_size(trial: TrialConfig, shape: ModelShape) -> int:
    return create_method(trial.method).count(shape)


def _start_or_resume(config: TrialConfig, folder: Path) -> Path:
    if not (folder / "manifest.json").is_file():
        return start_trial(config, folder).folder
    if to_toml(Run.open(folder).config) != to_toml(config):
        raise InputError(f"{folder} holds a trial with other settings; choose another --out")
    return folder


def _prepare(trials: Sequence[TrialConfig], base_samples: Path) -> None:
    """Do once what all trials need, side by side: prove their methods, and sample the base."""
    from verirank.study._worker import die_by_ctrl_c, prove_methods, sample_the_base

    config = trials[0]
    distinct = {to_toml(trial.method): trial.method for trial in trials}
    with (
        one_thread_each() as context,
        ProcessPoolExecutor(2, mp_context=context, initializer=die_by_ctrl_c) as pool,
    ):
        proof = pool.submit(prove_methods, list(distinct.values()), config.model)
        samples = pool.submit(sample_the_base, config, base_samples)
        proof.result()
        samples.result()


def _expect_base(fingerprint: str, base_samples: Path) -> None:
    """Remember which weights the base's samples come from, or hold them against these."""
    path = base_samples / "base.json"
    if path.is_file() and json.loads(path.read_text("utf-8"))["sha256"] != fingerprint:
        raise InputError(f"{base_samples.parent} was begun with other weights of the same name")
    base_samples.mkdir(parents=True, exist_ok=True)
    write_json(path, {"sha256": fingerprint})


def progress(folder: Path) -> dict[str, Any]:
    """Return what a trial's folder tells of it now: status, step, steps and last rewards."""
    run = Run(folder)
    lines = run.metrics()
    return {
        "status": run.manifest.get("status", "waiting"),
        "step": lines[-1]["step"] if lines else 0,
        "rewards": [line["reward_mean"] for line in lines],
    }
