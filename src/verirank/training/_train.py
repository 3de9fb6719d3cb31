"""A whole training run: from its first step, or from its newest checkpoint, to its last."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from verirank.algorithms import Group
from verirank.config import DURING, RunFailedError
from verirank.methods import Policy, save_policy
from verirank.models import BaseModel
from verirank.processes import any_process, count, expect_same, gathered, is_first, on_first
from verirank.record import (
    Run,
    complete_metrics,
    expect_sums,
    join_rollouts,
    newest_checkpoint,
    rewind,
    whole_folder,
    write_rollouts,
)
from verirank.sampling import Sampler, SamplingStoppedError
from verirank.training._batch import advantages_of
from verirank.training._checkpoint import load_checkpoint, save_checkpoint
from verirank.training._metrics import reset_peak_memory
from verirank.training._refill import StepAbandonedError
from verirank.training._trainer import Step, Trainer
from verirank.verifier import Verifier

Evaluate = Callable[[int, Callable[[], bool]], Mapping[str, float]]
"""Scores the sampler's weights after a step, unless the run is to stop meanwhile."""


class BaseChangedError(RunFailedError):
    """The frozen base's bytes are not what they were: the run is invalid."""

    failure_kind = "invalid"


def train(
    run: Run,
    base: BaseModel,
    sampler: Sampler,
    verifier: Verifier,
    on_step: Callable[[Step], None] = lambda step: None,
    *,
    evaluate: Evaluate = lambda step, stopping: {},
    until: int | None = None,
    on_policy: Callable[[Policy], None] = lambda policy: None,
) -> Policy:
    """Take the steps that the run still owes, recording each; return the trained policy.

    After every `evaluation.every` steps, what `evaluate` returns joins the step's metrics; the
    sampler then serves the policy, and a checkpoint that is due is written. `evaluate` may ask
    whether the run is to stop, and then raise `SamplingStoppedError`; the run scores the step when
    it goes on.

    With `until`, the run pauses with a checkpoint after that step, and goes on when trained again.
    A run with a checkpoint goes on from it to the same bits. The first Ctrl-C gives up the step
    under way and ends the run with a checkpoint, the second at once. Of several processes all
    train, and the first writes; the others have to see the run's folder. `on_step` gets
    every step, and once more one whose scores a stop had left out. `on_policy` gets the policy
    before its first step.

    Raises:
        KeyboardInterrupt: the run was stopped; it can be resumed.
        BaseChangedError: something wrote into the base.
    """
    config = run.config
    last = min(until or config.training.steps, config.training.steps)
    # Taken before a method is attached: that is when an initialisation could write into the base.
    fingerprint = base.fingerprint()
    expect_same({"the base's SHA-256": fingerprint})
    on_first(lambda: run.expect_base(fingerprint))
    reset_peak_memory()
    trainer = Trainer(
        *(config, base, sampler, verifier),
        initial=_stored_initial(run.folder),
        base_reward=run.manifest.get("base_reward"),
    )
    problems = trainer.task.fingerprint()
    on_first(lambda: run.expect_problems(problems))
    _begin(run, trainer)
    on_policy(trainer.policy)
    saved_at = time.monotonic()
    with _interruptible() as stopping:
        if owed := on_first(lambda: _unscored(run, trainer.step)):
            step = Step(owed, [])
            stops = _score(run, step, evaluate, stopping)
            on_step(step)
            if stops:
                raise KeyboardInterrupt
        while trainer.step < last:
            try:
                step = trainer.train_step(stopping)
            except StepAbandonedError:
                _save(run, trainer)
                raise KeyboardInterrupt from None
            if is_first():
                run.append_metrics(step.metrics)
                write_rollouts(run, trainer.step, _rollouts(trainer, step.groups))
            stops = any_process(stopping())
            by_time = time.monotonic() - saved_at > 60 * config.checkpoint.every_minutes
            by_step = trainer.step == last or trainer.step % config.checkpoint.every == 0
            if stops or by_step or on_first(lambda due=by_time: due):
                _save(run, trainer)
                saved_at = time.monotonic()
            if not stops and _is_scored(run, trainer.step):
                stops = _score(run, step, evaluate, stopping)
            on_step(step)
            if stops:
                _save(run, trainer)
                raise KeyboardInterrupt
    if base.fingerprint() != fingerprint:
        raise BaseChangedError("the base's weights changed during the run; its result is invalid")
    if last == config.training.steps:
        _save_policy(trainer.policy, run.folder / "adapter")
    left = trainer.policy.method.remaining_parameters(trainer.policy)
    if is_first():
        run.update_manifest(remaining_parameters=left, **run.totals())
    return trainer.policy


def _is_scored(run: Run, step: int) -> bool:
    every = run.config.evaluation.every
    return every is not None and step > 0 and step % every == 0


def _unscored(run: Run, step: int) -> dict[str, Any] | None:
    """Return the line of the last step, where the run was stopped before its scores."""
    lines = run.metrics()
    if not lines or not _is_scored(run, step) or f"{DURING}_avg_at_k" in lines[-1]:
        return None
    return lines[-1]


def _score(run: Run, step: Step, evaluate: Evaluate, stopping: Callable[[], bool]) -> bool:
    """Add to the last step's metrics what its weights score; return whether the run is to stop."""
    with suppress(SamplingStoppedError):
        scores = evaluate(int(step.metrics["step"] or 0), stopping)
        step.metrics.update(scores)
        if is_first():
            complete_metrics(run, scores)
    return any_process(stopping())


def _save_policy(policy: Policy, target: Path) -> None:
    state = gathered(policy.state())
    if is_first():
        with whole_folder(target) as folder:
            save_policy(policy, folder, state)


def _begin(run: Run, trainer: Trainer) -> None:
    policy = trainer.policy
    if trainer.start is not None and is_first():
        # Before the initial adapter: once that is stored, its data are not sampled again.
        run.update_manifest(start_data=asdict(trainer.start))
    if not on_first((run.folder / "init").is_dir):
        _save_policy(policy, run.folder / "init")
    if checkpoint := on_first(lambda: newest_checkpoint(run)):
        load_checkpoint(trainer, checkpoint)
    expect_same({"the newest checkpoint": f"step {trainer.step}", "the policy": policy.digest()})
    if not is_first():
        return
    rewind(run, trainer.step)
    run.sweep()
    run.update_manifest(
        status="running",
        error=None,
        threads=torch.get_num_threads(),
        processes=count(),
        device=str(trainer.base.device),
        **trainer.task.recorded(),
        forward_pass=f"transformers ({trainer.base.form})" if trainer.base.form else "packed",
        family=policy.method.family,
        learning_rate=trainer.learning_rate,
        adapted_modules=sorted(policy.method.targets(policy.original)),
        trainable_parameters=policy.trainable_parameters,
        total_parameters=trainer.base.shape.parameters,
    )


def _save(run: Run, trainer: Trainer) -> None:
    """Write a checkpoint after the steps that led to it, unless it would not be between steps."""
    between_steps = trainer.updates == trainer.step * run.config.algorithm.inner_updates
    if not trainer.step or not between_steps:
        return
    if is_first():
        # No checkpoint may outlast the steps that led to it.
        run.keep_metrics()
        join_rollouts(run)
    save_checkpoint(trainer, run, run.config.checkpoint.keep)


def _rollouts(trainer: Trainer, groups: list[Group]) -> list[dict[str, Any]]:
    """Return a row a completion of the step that was taken last.

    `own` has a digit a token: 1 where the model drew it, 0 where a tool wrote it.
    """
    given_PG = advantages_of(groups, trainer.algorithm, trainer.max_new_tokens).tolist()
    return [
        {
            "step": trainer.step,
            "problem": group.problem.id,
            "prompt": group.problem.text,
            "gold": group.problem.answer,
            "completion": completion.text,
            "reward": reward.value,
            "components": list(reward.components.items()) or None,
            "advantage": advantage,
            "reason": reward.reason,
            "length": completion.length,
            "own": "".join("1" if own else "0" for own in completion.own),
            "truncated": completion.truncated and not trainer.task.is_whole_at_limit,
            "seed": completion.seed,
        }
        for group, advantages in zip(groups, given_PG, strict=True)
        for completion, reward, advantage in zip(
            group.completions, group.rewards, advantages, strict=True
        )
    ]


def _stored_initial(folder: Path) -> dict[str, Tensor] | None:
    """Return the initial adapter that the run began with, once it has begun.

    Raises:
        DamagedError: it is not what was written.
    """
    if not (folder / "init").is_dir():
        return None
    expect_sums(folder / "init")
    path = folder / "init" / "initial.safetensors"
    return load_file(path) if path.is_file() else None


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a wish to stop; the second has its former meaning."""
    wished = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield wished.is_set
        return

    def wish(number: int, frame: object) -> None:
        wished.set()
        signal.signal(number, before[number])

    numbers: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)
    before: dict[int, Any] = {number: signal.getsignal(number) for number in numbers}
    # An ignored signal stays ignored: a study's workers leave Ctrl-C to their parent.
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, wish)
    try:
        yield wished.is_set
    finally:
        for number in heard:
            signal.signal(number, before[number])
