"""A whole training run: from its first step, or from its newest checkpoint, to its last."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from verirank.algorithms import Group
from verirank.config import RunFailedError
from verirank.methods import Policy, save_policy
from verirank.models import BaseModel
from verirank.processes import any_process, count, expect_same, gathered, is_first, on_first
from verirank.record import Run, whole_folder
from verirank.sampling import Sampler
from verirank.training._batch import advantages_of
from verirank.training._checkpoint import load_checkpoint, save_checkpoint
from verirank.training._metrics import reset_peak_memory
from verirank.training._trainer import Step, Trainer
from verirank.verifier import Verifier


class BaseChangedError(RunFailedError):
    """The frozen base's bytes are not what they were: the run is invalid."""


def train(
    run: Run,
    base: BaseModel,
    sampler: Sampler,
    verifier: Verifier,
    on_step: Callable[[Step], None] = lambda step: None,
    *,
    until: int | None = None,
) -> Policy:
    """Take the steps that the run still owes, recording each; return the trained policy.

    With `until`, the run pauses with a checkpoint after that step, and goes on when trained again.
    A run with a checkpoint goes on from it to the same bits. The first Ctrl-C ends the run after
    the step under way with a checkpoint, the second at once. Of several processes all train, and
    the first writes; the others have to see the run's folder.

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
    trainer = Trainer(config, base, sampler, verifier, initial=_stored_initial(run.folder))
    problems = trainer.task.fingerprint()
    on_first(lambda: run.expect_problems(problems))
    _begin(run, trainer)
    unsaved: list[list[Group]] = []
    with _interruptible() as stopping:
        while trainer.step < last:
            step = trainer.train_step()
            if is_first():
                run.append_metrics(step.metrics)
            unsaved.append(step.groups)
            on_step(step)
            stops = any_process(stopping())
            if stops or trainer.step == last or trainer.step % config.checkpoint.every == 0:
                if is_first():
                    # No checkpoint may outlast the steps that led to it.
                    run.keep_metrics()
                    _write_rollouts(run, trainer, unsaved)
                save_checkpoint(trainer, run, config.checkpoint.keep)
                unsaved = []
            if stops:
                raise KeyboardInterrupt
    if base.fingerprint() != fingerprint:
        raise BaseChangedError("the base's weights changed during the run; its result is invalid")
    if last == config.training.steps:
        _save_policy(trainer.policy, run.folder / "adapter")
    if is_first():
        run.update_manifest(**run.totals())
    return trainer.policy


def _save_policy(policy: Policy, place: Path) -> None:
    state = gathered(policy.state())
    if is_first():
        with whole_folder(place) as folder:
            save_policy(policy, folder, state)


def _begin(run: Run, trainer: Trainer) -> None:
    policy = trainer.policy
    if not on_first((run.folder / "init").is_dir):
        _save_policy(policy, run.folder / "init")
    if checkpoints := run.checkpoints():
        load_checkpoint(trainer, checkpoints[-1])
    expect_same({"the newest checkpoint": f"step {trainer.step}", "the policy": policy.digest()})
    if not is_first():
        return
    run.rewind(trainer.step)
    run.sweep()
    run.update_manifest(
        status="running",
        error=None,
        threads=torch.get_num_threads(),
        processes=count(),
        device=str(trainer.base.device),
        family=policy.method.family,
        learning_rate=trainer.learning_rate,
        adapted_modules=sorted(policy.method.targets(trainer.base.model)),
        trainable_parameters=sum(p.numel() for p in policy.trainable().values()),
        total_parameters=trainer.base.shape.parameters,
    )


def _write_rollouts(run: Run, trainer: Trainer, steps: list[list[Group]]) -> None:
    first = trainer.step - len(steps) + 1
    rows = [
        row for step, groups in enumerate(steps, first) for row in _rollouts(trainer, step, groups)
    ]
    run.write_rollouts(first, trainer.step, rows)


def _rollouts(trainer: Trainer, step: int, groups: list[Group]) -> Iterator[dict[str, Any]]:
    given_PG = advantages_of(groups, trainer.algorithm, trainer.max_new_tokens).tolist()
    for group, advantages in zip(groups, given_PG, strict=True):
        answered = zip(group.completions, group.rewards, advantages, strict=True)
        for completion, reward, advantage in answered:
            yield {
                "step": step,
                "problem": group.problem.id,
                "prompt": group.problem.prompt,
                "gold": group.problem.answer,
                "completion": completion.text,
                "reward": reward.value,
                "advantage": advantage,
                "reason": reward.reason,
                "length": len(completion.tokens),
                "truncated": completion.truncated,
                "seed": completion.seed,
            }


def _stored_initial(folder: Path) -> dict[str, Tensor] | None:
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
