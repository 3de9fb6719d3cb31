"""A short trial under observation: the policy that the checks look at, and its next step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor, nn

from verirank.config import MethodConfig, ModelConfig, TrainingConfig
from verirank.methods._method import Method, create_method
from verirank.methods._policy import Policy
from verirank.methods._start_data import StartData
from verirank.methods.conformance._double import computing_in_fp64
from verirank.methods.conformance._experts import experts_of, tokens_sent
from verirank.models import BaseModel, Location, load_base

STEPS = 12
"""Length of the rehearsed trial: enough for AdaLoRA's three phases."""
_LEARNING_RATE = 1e-3
_SEED = 7
_START_SEQUENCES = 64
_SEQUENCES, _TOKENS = 4, 12
"""Every weight takes part in the first token; further ones see that attention is right, too."""


def in_fp32(model: ModelConfig) -> ModelConfig:
    """Return the model that is rehearsed on, where rounding hides no fault."""
    return model.model_copy(update={"dtype": "float32"})


class PolicyFactory(Protocol):
    """Builds the policy to be checked: `Policy.create`, unless a test breaks it on purpose."""

    def __call__(
        self,
        base: BaseModel,
        config: MethodConfig,
        *,
        seed: int,
        total_steps: int,
        data: StartData | None,
    ) -> Policy:
        """Return a policy for the method that `config` names."""
        ...


@dataclass(frozen=True)
class RandomData:
    """Sequences of random tokens, one at a time, every other of them rewarded."""

    tokens_NT: Tensor

    @classmethod
    def of(cls, base: BaseModel) -> RandomData:
        """Draw the same tokens every time from a base's vocabulary."""
        generator = torch.Generator().manual_seed(_SEED + 1)
        shape = (_START_SEQUENCES, _TOKENS)
        return cls(torch.randint(base.shape.vocabulary, shape, generator=generator))

    def losses(self, model: nn.Module) -> Iterator[Tensor]:
        """Yield the loss of each sequence."""
        for number, tokens_T in enumerate(self.tokens_NT):
            loss = policy_loss(model, tokens_T[None], torch.tensor([1.0 - 2.0 * (number % 2)]))
            yield loss / len(self.tokens_NT)


def policy_loss(model: nn.Module, tokens_NT: Tensor, advantages_N: Tensor) -> Tensor:
    """Return the policy-gradient loss of sequences, a mean over their tokens.

    The model does not read a sequence's last token, which predicts none: an expert that had only
    such tokens would get no gradient from them.
    """
    logits_NTV = model(input_ids=tokens_NT[:, :-1]).logits.float()
    targets_NT = tokens_NT[:, 1:].unsqueeze(-1)
    logprobs_NT = logits_NTV.log_softmax(-1).gather(-1, targets_NT).squeeze(-1)
    return -(advantages_N.unsqueeze(-1) * logprobs_NT).mean()


@dataclass
class Rehearsal:
    """A policy, what was asked for, and the base as it was before.

    `model` is the `requested` one in fp32; `tokens_NT` are fixed random tokens, of which every
    other sequence is rewarded, and `base_logits_NTV` what the base made of them before anybody
    touched it. `visits` counts the steps in which tokens were sent to each layer of an expert.
    """

    requested: ModelConfig
    model: ModelConfig
    factory: PolicyFactory
    base: BaseModel
    expected: Method
    policy: Policy
    optimizer: torch.optim.Optimizer
    fingerprint: str
    start: dict[str, Tensor]
    tokens_NT: Tensor
    base_logits_NTV: Tensor
    taken: int = field(default=0)
    visits: Counter[str] = field(default_factory=Counter)

    @classmethod
    def prepare(
        cls, config: MethodConfig, requested: ModelConfig, factory: PolicyFactory
    ) -> Rehearsal:
        """Load the base in fp32 and build the policy of a trial of `STEPS` steps."""
        model = in_fp32(requested)
        base = load_base(model)
        base.expect_trainable()
        fingerprint = base.fingerprint()
        generator = torch.Generator().manual_seed(_SEED)
        shape = (_SEQUENCES, _TOKENS)
        tokens_NT = torch.randint(base.shape.vocabulary, shape, generator=generator)
        base_logits_NTV = _logits(base.model, tokens_NT)
        expected = create_method(config)
        policy = _make(factory, base, expected)
        return cls(
            requested=requested,
            model=model,
            factory=factory,
            base=base,
            expected=expected,
            policy=policy,
            optimizer=policy.optimizer(TrainingConfig(), _LEARNING_RATE),
            fingerprint=fingerprint,
            start={n: p.detach().clone() for n, p in policy.trainable().items()},
            tokens_NT=tokens_NT,
            base_logits_NTV=base_logits_NTV,
        )

    @cached_property
    def experts(self) -> dict[str, Location]:
        """The linear layers of experts, by their name in the plain model."""
        return experts_of(self.policy)

    def routed(self) -> set[str]:
        """Return the layers of experts to which the untouched base sends tokens of the loss."""
        if not self.experts:
            return set()
        with tokens_sent(self.base.unfolded, self.experts) as reached:
            _logits(self.base.unfolded, self.tokens_NT[:, :-1])
        return reached

    def over_requested_base(self) -> Policy:
        """Build the policy once more, over the base in the dtype that the trial will have."""
        base = load_base(self.requested)
        return _make(self.factory, base, self.expected)

    def step(self) -> int:
        """Take the next step as training does, on a policy-gradient loss; return its number."""
        self.optimizer.zero_grad()
        with tokens_sent(self.policy.model, self.experts) as reached:
            advantages_N = torch.tensor([1.0, -1.0]).repeat(_SEQUENCES // 2)
            loss = policy_loss(self.policy.model, self.tokens_NT, advantages_N)
        self.visits.update(reached)
        loss.backward()
        for tensor in self.policy.trainable().values():
            if tensor.grad is None:  # of an expert that no token was sent to: zero, as in training
                tensor.grad = torch.zeros_like(tensor)
        self.taken += 1
        self.policy.update(self.optimizer, self.taken, TrainingConfig().max_grad_norm)
        return self.taken

    def exact_logits(self, model: nn.Module) -> Tensor:
        """Return what a model's fp32 numbers give in fp64, where activations do not round."""
        with computing_in_fp64(model):
            return self.logits(model)

    def logits(self, model: nn.Module) -> Tensor:
        """Return a model's logits on the fixed tokens, N x T x V."""
        return _logits(model, self.tokens_NT)


def _make(factory: PolicyFactory, base: BaseModel, expected: Method) -> Policy:
    data = None if expected.start_pass is None else RandomData.of(base)
    return factory(base, expected.config, seed=_SEED, total_steps=STEPS, data=data)


@torch.no_grad()
def _logits(model: nn.Module, tokens_NT: Tensor) -> Tensor:
    return model(input_ids=tokens_NT).logits
