"""What a PEFT method is: everything that tells one from another, behind one small contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from torch import Tensor, nn

from verirank.config import DefaultRates, InputError, MethodConfig, load_plugin, plugin_names
from verirank.models import ModelShape

if TYPE_CHECKING:
    from verirank.methods._adapter import Adapter
    from verirank.methods._policy import Policy
    from verirank.methods._start_data import StartData


class Method(ABC):
    """A way to train a frozen base: what is trained, how it steps, and which weights come out.

    A subclass lives in one file and is registered as an entry point of `verirank.methods`. The
    hooks that change nothing by default are there for the few methods that need them.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    """`data-initialised`, `full`, `low-rank`, `optimiser`, `orthogonal`, `sparse`, `structural`,
    `svd-initialised`, `vector`.
    """
    reference: ClassVar[str]
    """The paper, as an arXiv identifier."""
    Config: ClassVar[type[MethodConfig]] = MethodConfig
    default_rates: ClassVar[DefaultRates | None] = None
    """Its default learning rates; a method without any needs `method.learning_rate`."""
    trains_base: ClassVar[bool] = False
    """Whether all of the base's parameters are trained, so that they need gradients and moments."""
    edits_base: ClassVar[bool] = False
    """Whether a part of the base leaves its frozen weights when the method is attached."""
    start_pass: ClassVar[Literal["forward", "backward"] | None] = None
    """The pass over `problems` training problems that its start is computed from, if any."""
    serves: ClassVar[Literal["all", "linears", "norms"]] = "linears"
    """Which weights the sampler holds as the method's own; it shares the others with the base."""

    def __init__(self, config: Any) -> None:
        self.config = config

    @classmethod
    def final_phase(cls, total_steps: int) -> int:
        """Return the step with which the last phase of the method's own schedule begins.

        Before it a trial's score says little of its end: no search drops a learning rate there.
        Without a schedule it is 0.
        """
        return 0

    @abstractmethod
    def targets(self, model: nn.Module) -> set[str]:
        """Return the names of the modules of a plain model that this method adapts."""

    @abstractmethod
    def count(self, shape: ModelShape) -> int:
        """Return the exact number of trainable parameters, from dimensions alone."""

    def multiplications(self, shape: ModelShape) -> int:
        """Return how many a token takes in a forward pass in products beside the base's."""
        return 0

    def kept_activations(self, shape: ModelShape) -> int:
        """Return how many numbers a token and layer its backward pass needs beside the model's."""
        return 0

    def expect_shapes(self, model: nn.Module) -> None:
        """Refuse a plain model whose shapes the settings do not suit.

        Raises:
            InputError: a rank is too high for them.
        """
        return

    def start_numbers(self, shape: ModelShape) -> int:
        """Return how many fp32 numbers `start_from` holds beside a model and its activations."""
        return 0

    def start_from(self, model: nn.Module, data: StartData) -> dict[str, Tensor]:
        """Return the `initial_state` of a method with a `start_pass`, from that pass.

        Args:
            model: another shared copy of the base, for this alone.
            data: what passes through it.

        Raises:
            InputError: there are too few data.
        """
        return {}

    @abstractmethod
    def attach(
        self,
        model: nn.Module,
        *,
        seed: int,
        total_steps: int,
        initial: Mapping[str, Tensor] | None = None,
    ) -> nn.Module:
        """Make a frozen model trainable, drawing from `seed` alone.

        Args:
            model: a shared copy of the base, whose parameters may be replaced, never written into.
            seed: of the initialisation.
            total_steps: how many optimiser steps the trial will take.
            initial: a stored `initial_state`, which is used instead of computing it anew, or what
                `start_from` returned.

        Returns:
            The model whose forward pass is the policy's, with fp32 trainable parameters.
        """

    @abstractmethod
    def effective_weights(self, policy: Policy) -> Iterator[tuple[str, Tensor]]:
        """Yield (name in the base's state_dict, fp32 weight) of all that the method can change.

        The weights are computed out of place; tied weights come once.
        """

    @abstractmethod
    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Prove what sets this method apart from the others (conformance check 9).

        Args:
            policy: the policy under test, which has taken a few steps of its trial already.
            step: takes the next real training step on it and returns its number, from 1.

        Returns:
            Whether it behaves as its paper says, and the numbers that show it.
        """

    def initial_state(self, model: nn.Module) -> dict[str, Tensor]:
        """Return copies of the tensors that an initialisation took out of the base, or of data."""
        return {}

    def parameter_groups(self, policy: Policy, learning_rate: float) -> list[dict[str, Any]]:
        """Return the optimiser's parameter groups, each with its own `lr`."""
        return [{"params": list(policy.trainable().values()), "lr": learning_rate}]

    def penalty(self, policy: Policy) -> Tensor | None:
        """Return a term to be added once to the loss of every optimiser step."""
        return None

    def project_gradients(self, policy: Policy) -> None:
        """Change the gradients in place, after the backward passes and before clipping."""
        return

    def after_step(self, policy: Policy, step: int) -> None:
        """Act between `optimizer.step()` and `zero_grad()`; `step` counts from 1 to total_steps."""
        return

    def remaining_parameters(self, policy: Policy) -> int:
        """Return how many of the trainable parameters still act; fewer where a schedule prunes."""
        return policy.trainable_parameters

    def extra_state(self, policy: Policy) -> dict[str, Tensor]:
        """Return what an exact resume or publish needs beyond the trainable tensors."""
        return {}

    def load_extra_state(self, policy: Policy, state: Mapping[str, Tensor]) -> None:
        """Take back what `extra_state` returned."""
        return

    def adapter(self, policy: Policy) -> Adapter:
        """Return the policy as an adapter that peft loads over the untouched base.

        Raises:
            InputError: peft has no such adapter.
        """
        raise InputError(f"method {self.name!r} has no adapter; export the whole model: merged")

    def low_rank_update(self, policy: Policy) -> dict[str, tuple[Tensor, Tensor]]:
        """Return, by adapted module, the A (r x in) and B (out x r) with which W = W0 + B A.

        Raises:
            InputError: the update is not of low rank.
        """
        raise InputError(
            f"method {self.name!r} is no plain LoRA; export it as merged, or as an adapter of its "
            "own kind where it has one"
        )


def method_config(values: Mapping[str, Any]) -> MethodConfig:
    """Return the settings of the method that `values["name"]` names.

    Raises:
        InputError: no such method is installed.
    """
    return load_plugin("method", values["name"]).Config.model_validate(dict(values))


def create_method(config: MethodConfig) -> Method:
    """Return the method that a configuration names; a bare name stands for its defaults.

    Raises:
        InputError: no such method is installed.
    """
    method: type[Method] = load_plugin("method", config.name)
    if not isinstance(config, method.Config):
        config = method_config(config.model_dump())
    return method(config)


def default_methods() -> tuple[Method, ...]:
    """Return every installed method at its defaults, in alphabetical order."""
    return tuple(create_method(MethodConfig(name=name)) for name in plugin_names("method"))
