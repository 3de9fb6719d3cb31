"""VeriRank's methods and verifier for TRL's GRPOTrainer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import Optimizer
from transformers import (
    PreTrainedModel,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from verirank.config import InputError, MethodConfig, TrainingConfig
from verirank.methods import Policy
from verirank.models import BaseModel
from verirank.tasks import Problem, Task, grade
from verirank.verifier import Verifier

if TYPE_CHECKING:
    from trl.trainer.grpo_config import GRPOConfig

__all__ = ["MethodCallback", "TRLParts", "parts_for_trl", "reward_function", "training_rows"]

Completion = str | Sequence[Mapping[str, Any]]
"""TRL hands over plain text, or the messages of a conversation."""


@dataclass(frozen=True)
class TRLParts:
    """What a GRPOTrainer is given: `model`, `optimizers=(optimizer, None)`, `callbacks=[callback]`.

    `policy` is for afterwards: its effective weights, saving it, exporting it.
    """

    policy: Policy
    optimizer: Optimizer
    callback: MethodCallback

    @property
    def model(self) -> PreTrainedModel:
        """The model to train, which shares the base's storage and leaves it as it is."""
        return self.policy.model


class MethodCallback(TrainerCallback):
    """Lets a method act at its points in TRL's optimiser step.

    Before the optimiser: the method's penalty, its projection of the gradient, then the clipping,
    which is taken over from the trainer because it must come last. After the optimiser: the
    method's schedule, with the trainer's own count of steps.
    """

    def __init__(self, policy: Policy, max_norm: float) -> None:
        """Act on a policy and clip its gradient to `max_norm`; 0 leaves it unclipped, as in TRL."""
        self._policy = policy
        self._max_norm = max_norm or float("inf")

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Check that the trainer will take the policy's steps, and take over the clipping."""
        if state.global_step > 0:
            raise InputError("a policy of VeriRank cannot go on from a checkpoint of TRL")
        if state.max_steps != self._policy.total_steps:
            raise InputError(
                f"the policy was made for {self._policy.total_steps} steps, "
                f"the trainer takes {state.max_steps}; make it from the trainer's own args"
            )
        args.max_grad_norm = 0.0

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Finish the gradients; the trainer's optimiser comes next."""
        self._policy.finish_gradients(state.global_step + 1, self._max_norm)

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Let the method act before the gradients are set to zero."""
        self._policy.method.after_step(self._policy, state.global_step + 1)


def parts_for_trl(base: BaseModel, method: MethodConfig, args: GRPOConfig) -> TRLParts:
    """Make a policy and what a GRPOTrainer needs to train it as its method says.

    Args:
        base: the frozen model.
        method: the method and its settings; its learning rate, where it has none, is that of args.
        args: the trainer's GRPOConfig, whose `max_steps` counts the optimiser's steps.

    Raises:
        InputError: args ask for what would train something else; the message says what to change.
    """
    _refuse_what_changes_the_method(base, args)
    policy = Policy.create(base, method, seed=args.seed, total_steps=args.max_steps)
    training = TrainingConfig(
        betas=(args.adam_beta1, args.adam_beta2), weight_decay=args.weight_decay
    )
    rate = policy.config.learning_rate or args.learning_rate
    optimizer = policy.optimizer(training, rate)
    return TRLParts(policy, optimizer, MethodCallback(policy, args.max_grad_norm))


def _refuse_what_changes_the_method(base: BaseModel, args: GRPOConfig) -> None:
    faults = (
        (args.max_steps <= 0, "set max_steps: a schedule needs the number of steps"),
        (args.use_vllm, "set use_vllm=False: TRL publishes by merging into the live base"),
        (args.beta != 0, "set beta=0: TRL's reference would be a second adapter, not the base"),
        (args.fp16, "set fp16=False: a scaled gradient cannot be projected"),
        (
            base.dtype == torch.bfloat16 and not args.bf16,
            "set bf16=True: fp32 adapters over a bf16 base run under autocast",
        ),
        (
            bool(args.deepspeed or args.fsdp) or args.world_size > 1,
            "use one process: projections of sharded gradients are not proven",
        ),
    )
    for is_wrong, advice in faults:
        if is_wrong:
            raise InputError(f"these TRL settings would train something else; {advice}")


def reward_function(task: Task, verifier: Verifier) -> Callable[..., list[float | None]]:
    """Return a reward function for TRL: 1 for a right answer, 0 for any other.

    It reads the dataset's column `answer`. Where that gold answer cannot be read, no completion can
    be judged: the reward is None, which TRL leaves out of the batch.

    Args:
        task: extracts the stated answers, after cutting a completion where the task's ends.
        verifier: judges them; whoever made it closes it.

    Raises:
        InputError: a tool replies to the task's completions.
    """
    if task.reply_tokens:
        raise InputError(f"TRL draws completions by itself, without the replies of {task.name!r}")

    def verified(
        *, completions: Sequence[Completion], answer: Sequence[str] | None = None, **_: Any
    ) -> list[float | None]:
        if answer is None:
            raise InputError("the training set lacks the column 'answer' with the gold answers")
        problems = [Problem("", "", gold) for gold in answer]
        texts = [[_ended(_text(completion), task.stop)] for completion in completions]
        rewards = [group[0] for group in grade(task, verifier, problems, texts)]
        return [None if r.reason == "unparsable gold" else r.value for r in rewards]

    return verified


def _text(completion: Completion) -> str:
    if isinstance(completion, str):
        return completion
    return "".join(message["content"] for message in completion)


def _ended(text: str, stop: str | None) -> str:
    """Return a completion up to and with the task's stop string, as VeriRank's samplers end it."""
    if stop is None or stop not in text:
        return text
    return text[: text.index(stop) + len(stop)]


def training_rows(task: Task, n: int, *, seed: int) -> list[dict[str, str]]:
    """Return n training problems as rows of `prompt` and `answer`, for `Dataset.from_list`.

    Args:
        task: gives the problems.
        n: how many.
        seed: of the task's training stream.
    """
    problems = (task.training_problem(seed, index) for index in range(n))
    return [{"prompt": problem.prompt, "answer": problem.answer} for problem in problems]
