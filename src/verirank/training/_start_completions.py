"""What a method may start from: completions of the base, and the loss of a first step on them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from verirank.algorithms import Algorithm, Group
from verirank.config import TrialConfig
from verirank.methods import create_method
from verirank.models import BaseModel
from verirank.processes import collect, own_part
from verirank.sampling import Sampler, sample_all, sample_seed
from verirank.tasks import Task
from verirank.training._batch import MicroBatch, advantages_of, micro_batches
from verirank.training._logprobs import CompletionLogprobs
from verirank.training._rewards import Rewards


@dataclass(frozen=True, slots=True)
class Start:
    """What the data of a start were, and took: `tokens` went through the model, prompts included.

    `seconds` are those of sampling, verifying, the pass and what the method made of it. `sha256`
    is of all tokens and rewards.
    """

    problems: int
    completions: int
    tokens: int
    seconds: float
    sha256: str


@dataclass(frozen=True, eq=False)
class StartCompletions:
    """The base's completions of a trial's first training problems; a `methods.StartData`."""

    base: BaseModel
    groups: list[Group]
    parts: list[MicroBatch]
    temperature: float
    checkpointed: bool = False

    @classmethod
    def sample(
        cls,
        config: TrialConfig,
        base: BaseModel,
        sampler: Sampler,
        task: Task,
        rewards: Rewards,
        algorithm: Algorithm,
        max_new_tokens: int,
        most_padded: int | None,
    ) -> StartCompletions:
        """Sample and verify the completions; the same ones for the same settings and seed.

        Args:
            config: the trial, whose method says of how many `problems`.
            base: the model that the sampler serves.
            sampler: completes prompts.
            task: has the problems.
            rewards: gives the completions' rewards.
            algorithm: turns rewards into advantages and the tokens' weights.
            max_new_tokens: the limit on a completion.
            most_padded: of a part, as `prepare` has it.
        """
        sampling = config.sampling
        positions = own_part(range(create_method(config.method).config.problems))
        problems = [task.training_problem(config.seed, position) for position in positions]
        completions = sample_all(
            sampler,
            [task.render(problem, sampler.tokenizer) for problem in problems],
            [
                [sample_seed(config.seed, "start", position, k) for k in range(sampling.group_size)]
                for position in positions
            ],
            temperature=sampling.temperature,
            max_new_tokens=max_new_tokens,
            stop=task.stop,
            reply=task.reply,
        )
        verdicts = rewards(problems, completions)
        mine = [
            Group(problem, tuple(group), tuple(verdict))
            for problem, group, verdict in zip(problems, completions, verdicts, strict=True)
        ]
        groups = collect(mine)
        advantages_PG = advantages_of(groups, algorithm, max_new_tokens)
        # Padding would be among the inputs of the layers: without packing, one by one.
        most = config.training.micro_batch_tokens if base.form is None else 1
        parts = micro_batches(
            *(groups, algorithm, advantages_PG, torch.ones_like(advantages_PG, dtype=torch.bool)),
            max_new_tokens=max_new_tokens,
            most_tokens=most,
            most_padded=most_padded,
        )
        checkpointed = config.machine.gradient_checkpointing
        return cls(base, groups, parts, sampling.temperature, checkpointed)

    def losses(self, model: nn.Module) -> Iterator[Tensor]:
        """Yield -sum w A log p of every part: the policy gradient at the policy that sampled."""
        logprobs = CompletionLogprobs(model, self.temperature, packed=self.base.form is None)
        if self.checkpointed:
            logprobs.checkpoint_layers()
        for part in self.parts:
            here = part.to(self.base.device)
            with self._autocast():
                logprobs_NT = logprobs(here.sequences)
            tokens = here.tokens
            weights_N = tokens.weights_N * tokens.advantages_N
            yield -(weights_N[:, None] * tokens.mask_NT * logprobs_NT).sum()

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.base.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.base.device.type, dtype=self.base.dtype)

    def start(self, seconds: float) -> Start:
        """Return what is recorded of these data."""
        completions = [completion for group in self.groups for completion in group.completions]
        drawn = [[list(c.prompt_tokens), list(c.tokens)] for c in completions]
        earned = [reward.value for group in self.groups for reward in group.rewards]
        text = json.dumps([drawn, earned])
        return Start(
            problems=len(self.groups),
            completions=len(completions),
            tokens=sum(len(part.sequences.tokens_M) for part in self.parts),
            seconds=seconds,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
        )
