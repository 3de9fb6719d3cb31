"""A policy: the frozen base together with one method's trainable state."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from verirank.config import InputError, MethodConfig, RunFailedError, TrainingConfig
from verirank.methods._fits import expect_base_suits
from verirank.methods._method import Method, create_method
from verirank.methods._optimizers import make_optimizer
from verirank.methods._start import load_start
from verirank.methods._start_data import StartData
from verirank.models import BaseModel, Location, deterministic, fold, load_base, sha256_of
from verirank.processes import is_sharded, sharded_like, whole

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class DivergedError(RunFailedError):
    """A gradient or a weight is infinite or not a number: no further step means anything."""

    failure_kind = "diverged"

    @classmethod
    def of(cls, method: str, what: str) -> DivergedError:
        """Return the error that tells of which method what is not finite."""
        return cls(f"method {method!r} diverged: {what}; lower method.learning_rate")


@dataclass(eq=False)
class Policy:
    """What is trained: `model` computes the logits, `base` stays as it was read.

    `seed` and `total_steps` are those of the trial; `initial` holds what an SVD initialisation
    took out of the base, or out of `data`, unless it was stored. `without_start` is the base
    without the adapter that the policy goes on from (`method.start`), which is part of `base`.
    """

    base: BaseModel
    method: Method
    model: Any
    seed: int
    total_steps: int
    initial: dict[str, Tensor]
    without_start: BaseModel | None = None
    data: StartData | None = None

    @classmethod
    def create(
        cls,
        base: BaseModel,
        config: MethodConfig,
        *,
        seed: int,
        total_steps: int,
        initial: Mapping[str, Tensor] | None = None,
        data: StartData | None = None,
    ) -> Self:
        """Attach the method that `config` names to a shared copy of the base.

        Args:
            base: the frozen model.
            config: the method and its settings.
            seed: of the initialisation.
            total_steps: how many optimiser steps the trial will take (AdaLoRA's schedule).
            initial: a stored `initial_state()`, used instead of computing it anew.
            data: what a method with a `start_pass` starts from, if nothing is stored.

        Raises:
            InputError: the settings do not suit the model, or the method starts from data, and
                neither these nor its initial state are given.
        """
        method = create_method(config)
        expect_base_suits(method, four_bit=base.is_four_bit)
        without_start, under = None, base
        if config.start is not None:
            plain_base = base.config.model_copy(update={"adapter": None})
            under = without_start = load_base(plain_base, base.device.type)
        if initial is None and method.start_pass is not None:
            initial = _from_data(method, base, data)
        if initial is not None:
            initial = {name: tensor.to(base.device) for name, tensor in initial.items()}
        # The other methods adapt no linear layers, or the model's own parameters as they are.
        plain = under.unfolded_copy() if method.serves == "linears" else under.sharing_copy()
        model: Any = method.attach(plain, seed=seed, total_steps=total_steps, initial=initial)
        if config.start is not None:
            locations = under.locations if method.serves == "linears" else {}
            load_start(method, model, config.start, under.model, locations)
        # Adapted models stay in evaluation mode: dropout noise would enter the importance ratio.
        model.eval()
        initial_state = method.initial_state(model)
        return cls(base, method, model, seed, total_steps, initial_state, without_start, data)

    @property
    def config(self) -> MethodConfig:
        """The method's settings."""
        return self.method.config

    @property
    def under(self) -> BaseModel:
        """What the adapter stands on: the base, without the adapter that it may contain."""
        return self.without_start or self.base

    @property
    def original(self) -> PreTrainedModel:
        """The untouched model that the method's names are of, Conv1D and experts as linears."""
        return self.under.unfolded if self._is_unfolded else self.under.model

    @property
    def locations(self) -> dict[str, Location]:
        """Where the weights of the `original` model's unfolded layers stand in the base."""
        return self.under.locations if self._is_unfolded else {}

    @property
    def _is_unfolded(self) -> bool:
        return self.method.serves == "linears"

    @property
    def reference(self) -> PreTrainedModel:
        """A model that a KL penalty pulls towards: the base itself, never an adapter put off."""
        return self.base.sharing_copy()

    def trainable(self) -> dict[str, nn.Parameter]:
        """Return the tensors that require a gradient, by name; tied ones once."""
        return {n: p for n, p in self.model.named_parameters() if p.requires_grad}

    @property
    def trainable_parameters(self) -> int:
        """The number of parameters that require a gradient."""
        return sum(parameter.numel() for parameter in self.trainable().values())

    def optimizer(self, training: TrainingConfig, learning_rate: float) -> torch.optim.Optimizer:
        """Return the optimiser that the settings name, over the method's own parameter groups.

        Args:
            training: names it, and gives betas, momentum and weight decay.
            learning_rate: the method's base rate, which its groups may multiply.
        """
        ends = (self.model.get_input_embeddings(), self.model.get_output_embeddings())
        vocabulary = {id(p) for end in ends if end is not None for p in end.parameters()}
        return make_optimizer(
            self.method.parameter_groups(self, learning_rate),
            training,
            learning_rate,
            is_matrix=lambda p: p.ndim == 2 and id(p) not in vocabulary,
        )

    def update(self, optimizer: torch.optim.Optimizer, step: int, max_norm: float) -> float:
        """Take one optimiser step in the method's own way, from the gradients of the loss.

        Args:
            optimizer: what `optimizer` returned.
            step: the number of this step, from 1.
            max_norm: to which the norm of the whole gradient is clipped.

        Returns:
            The gradient's norm before clipping, with the method's penalty and projection in it.

        Raises:
            DivergedError: the norm is not finite; the weights are as they were.
        """
        norm = self.finish_gradients(step, max_norm)
        optimizer.step()
        self.method.after_step(self, step)
        return norm

    def finish_gradients(self, step: int, max_norm: float) -> float:
        """Add the method's penalty, project and clip: the part of `update` before the optimiser.

        For a trainer that steps by itself and calls `method.after_step` behind.
        """
        penalty = self.method.penalty(self)
        if penalty is not None:
            penalty.backward()
        self.method.project_gradients(self)
        norm = float(whole(clip_grad_norm_(self.trainable().values(), max_norm)))
        if not math.isfinite(norm):
            what = f"the gradient's norm is {norm} at optimiser step {step}"
            raise DivergedError.of(self.method.name, what)
        return norm

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context of forward passes: over a bf16 base, fp32 trainables run in bf16."""
        if self.base.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.base.device.type, dtype=self.base.dtype)

    # The decorator, not a `with`: a generator suspended inside one would leave gradients off.
    @torch.no_grad()
    def effective_weights(self) -> Iterator[tuple[str, Tensor]]:
        """Yield (name in the base's state_dict, fp32 weight) of all that the method can change."""
        weights = self.method.effective_weights(self)
        yield from fold(weights, self.locations)

    @torch.no_grad()
    def unfolded_weights(self) -> dict[str, Tensor]:
        """Return the same by the names and in the shapes of the `original` model."""
        return dict(self.method.effective_weights(self))

    def initial_state(self) -> dict[str, Tensor]:
        """Return the initial adapter where the initialisation edits the base, else nothing."""
        return self.initial

    def state(self) -> dict[str, Tensor]:
        """Return all that a resume to the same bits needs; tensors are live, and may be sharded."""
        return {n: p.detach() for n, p in self.trainable().items()} | self.method.extra_state(self)

    def digest(self) -> str:
        """Return the SHA-256 of all that the policy started from and has learnt, unless sharded."""
        tensors = {f"initial.{name}": tensor for name, tensor in self.initial.items()}
        return sha256_of({n: t for n, t in (tensors | self.state()).items() if not is_sharded(t)})

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` returned, for the same base, settings and initial state.

        Raises:
            KeyError: a trainable tensor is missing.
        """
        with torch.no_grad():
            for name, parameter in self.trainable().items():
                parameter.copy_(sharded_like(state[name], parameter))
            trainable = self.trainable()
            extra = {n: t.to(self.base.device) for n, t in state.items() if n not in trainable}
            self.method.load_extra_state(self, extra)


def _from_data(method: Method, base: BaseModel, data: StartData | None) -> dict[str, Tensor]:
    """Return a method's initial state from a pass of the base over data."""
    if data is None:
        raise InputError(
            f"method {method.name!r} starts from a pass over training completions, which a trial "
            "takes before its first step; none are given here"
        )
    model = base.unfolded_copy()
    method.expect_shapes(model)
    with deterministic(base.device):
        return method.start_from(model, data)
