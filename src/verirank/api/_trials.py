"""Training and scoring, as `verirank train` and `verirank eval` do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import reduce
from pathlib import Path
from typing import Any

from verirank.config import (
    InputError,
    ModelConfig,
    TaskConfig,
    TrialConfig,
    merged,
    nested,
    resolve,
)
from verirank.evaluation import evaluate as evaluate_benches
from verirank.evaluation import score
from verirank.models import BaseModel, load_base
from verirank.record import Run, execute_as
from verirank.tasks import load_task
from verirank.trial import expect_possible, run_trial, start_trial
from verirank.verifier import Verifier


def train(
    task: TaskConfig | str = "arithmetic",
    *,
    out: str | Path,
    method: str = "lora",
    algorithm: str = "grpo",
    model: BaseModel | str = "micro",
    steps: int | None = None,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    on_step: Callable[[dict[str, Any]], None] | None = None,
) -> Run:
    """Train one method by RL and score it, or finish a run that was interrupted.

    The method is first proven on the model, and the base is scored on the same benches. If `out`
    holds a run of the same settings, training continues from its last checkpoint; a finished run is
    returned as it is.

    Args:
        task: from `define_task`, or a task's name.
        out: the run's folder.
        method: one of `verirank methods`.
        algorithm: one of `verirank algorithms`.
        model: a loaded model, or a name for `load_model`.
        steps: training steps; 60 by default.
        seed: the trial's seed.
        settings: any other settings by dotted key, as after `--set` on the command line.
        on_step: called after each step with its line of metrics.

    Returns:
        The finished run.

    Raises:
        InputError: a setting is wrong, or `out` holds something else.
        MethodUnprovenError: the method failed a conformance check on this model.
        NothingToLearnError: the base's rewards differ in no group of training problems.

    Example:
        >>> import verirank
        >>> small = {"sampling.problems_per_step": 4, "evaluation.problems": 8}
        >>> verirank.train(out="runs/lora", steps=2, settings=small)
        Run('runs/lora': lora, seed 0, done)
    """
    settings = dict(settings or {}) | ({} if steps is None else {"training.steps": steps})
    config = _trial(task, model, settings, method=method, algorithm=algorithm, seed=seed)
    folder = Path(out)
    loaded = model if isinstance(model, BaseModel) else None
    begun = Run.open(folder) if (folder / "manifest.json").is_file() else None
    if begun is None:
        expect_possible([config], loaded)
    base = loaded or load_base(config.model, config.machine.device)
    if begun is None:
        base.expect_trainable()
        begun = start_trial(config, folder)
    else:
        execute_as(begun, config)
    run = begun
    report = on_step or (lambda metrics: None)
    run_trial(run, base, on_step=lambda step: report(step.metrics))
    return run


def evaluate(
    target: Run | BaseModel | str,
    task: TaskConfig | str | None = None,
    *,
    benches: Sequence[str] | None = None,
    problems: int | None = None,
    samples: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, dict[str, float | int]]:
    """Sample a run's policy or a model on benches and score it.

    Args:
        target: a run, or a model or its name.
        task: whose benches; a run's own task by default.
        benches: names of benches; the run's own, or `test`, by default.
        problems: the most problems to ask of each bench.
        samples: completions of each problem, the k of Avg@k.
        settings: any other settings by dotted key.

    Returns:
        For each bench `avg_at_k` with its 95 % interval `low` to `high`, `pass_at_k`, `maj_at_k`,
        `k` and `n`, the number of problems, and the measures of the task's own.

    Raises:
        InputError: a setting is wrong, or the run is not finished.

    Example:
        >>> import verirank
        >>> verirank.evaluate("micro", "arithmetic", problems=8, samples=2)["test"]["n"]
        8
    """
    changes = dict(settings or {})
    changes |= {"evaluation.benches": list(benches)} if benches else {}
    changes |= {} if problems is None else {"evaluation.problems": problems}
    changes |= {} if samples is None else {"evaluation.samples": samples}
    if isinstance(target, Run):
        run, config = target, resolve(merged(target.settings, _by_section(changes)))
        if task is not None:
            config = config.model_copy(update={"task": _task(task)})
    else:
        run, config = None, _trial(task or "arithmetic", target, changes)
    base = target if isinstance(target, BaseModel) else None
    with closing(Verifier(config.verifier)) as verifier:
        tables = evaluate_benches(config, verifier, run=run, base=base)
        measured = load_task(config.task)
        return {bench: score(table, measured) for bench, table in tables}


def _trial(
    task: TaskConfig | str,
    model: BaseModel | str,
    settings: Mapping[str, Any] | None,
    *,
    seed: int = 0,
    **names: str,
) -> TrialConfig:
    """Return the resolved settings of a trial."""
    is_loaded = isinstance(model, BaseModel)
    loaded = model.config if is_loaded else ModelConfig(name=model)
    changes = _by_section(settings or {})
    if is_loaded and "model" in changes:
        raise InputError("settings of a model that is loaded already belong in load_model")
    chosen = {
        "model": loaded.model_dump(mode="json", exclude_none=True),
        "task": _task(task).model_dump(mode="json", exclude_none=True),
        "seed": seed,
        **{kind: {"name": name} for kind, name in names.items()},
    }
    return resolve(merged(chosen, changes))


def _task(task: TaskConfig | str) -> TaskConfig:
    return task if isinstance(task, TaskConfig) else resolve({"task": {"name": task}}).task


def _by_section(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by dotted key as nested sections."""
    return reduce(merged, (nested(key, value) for key, value in settings.items()), {})
