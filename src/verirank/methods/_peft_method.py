"""What methods that the peft library implements have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from verirank.config import InputError
from verirank.methods._adapter import ADAPTER, Adapter, adapted_layers
from verirank.methods._adapters_of import own_adapter
from verirank.methods._method import Method
from verirank.methods._peft_conversion import names_as_they_are
from verirank.methods._policy import Policy
from verirank.models import FourBitLinear, expect_there, linears_of, path_of, selects

if TYPE_CHECKING:
    from peft import PeftConfig

__all__ = ["ADAPTER", "PeftMethod", "adapted_layers"]


class PeftMethod(Method):
    """A method that peft attaches; the weights to publish are computed here, out of place."""

    @abstractmethod
    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> PeftConfig:
        """Return peft's settings for a plain model, from which conformance proves the dispatch."""

    @abstractmethod
    def adapted_weights(self, layer: Any, base: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights that equal an adapted layer.

        Args:
            layer: peft's layer.
            base: the fp32 parameters of the base's module by their short name, `weight` or `bias`;
                the base's own storage when it is fp32, hence not to be written to.

        Returns:
            Those of `base` that the method changes, by short name.
        """

    def targets(self, model: nn.Module) -> set[str]:
        """Return the linear layers that the settings name.

        Raises:
            InputError: the model has none of a name; the message lists those that it has.
        """
        paths = {name: path_of(name) for name in linears_of(model)}
        modules = self.modules_among(set(paths.values()))
        expect_there(modules, paths.values())
        return {name for name, path in paths.items() if selects(modules, path)}

    def modules_among(self, paths: Collection[str]) -> tuple[str, ...]:
        """Return the modules that the settings mean among linear layers of these paths."""
        return self.config.modules

    def module_names(self, model: nn.Module) -> list[str]:
        """Return what peft is to look for, in the model's order.

        That is the last parts of the targets' names, or where others end in these, whole names.
        """
        targets = self.targets(model)
        names = [name for name, _ in model.named_modules() if name in targets]
        last = list(dict.fromkeys(name.rpartition(".")[2] for name in names))
        meant = [n for n, _ in model.named_modules() if n.rpartition(".")[2] in last]
        return last if len(meant) == len(names) else names

    def attach(
        self,
        model: nn.Module,
        *,
        seed: int,
        total_steps: int,
        initial: Mapping[str, Tensor] | None = None,
    ) -> nn.Module:
        """Let peft wrap the model, drawing from a generator state of its own."""
        return self.wrap(model, self.peft_config(model, seed=seed, total_steps=total_steps), seed)

    def wrap(self, model: nn.Module, config: PeftConfig, seed: int) -> nn.Module:
        """Return peft's wrapper of a plain model, whose trainable tensors are fp32.

        Args:
            model: is adapted in place; its parameters' storage is left alone.
            config: peft's settings.
            seed: of peft's draws, which come from the global generator and leave no trace in it.
        """
        from peft import get_peft_model

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                with names_as_they_are(model):
                    adapted = get_peft_model(model, config)  # pyright: ignore[reportArgumentType]
            except ValueError as error:
                reason = " ".join(str(error).split())
                if "Mamba-based" in reason:
                    reason += '; leave it out: method.modules = ["!*out_proj"]'
                raise InputError(f"peft cannot adapt this model: {reason}") from error
        # peft leaves what layers share (VeRA's projections) where it was drawn.
        adapted.to(next(model.parameters()).device)  # pyright: ignore[reportArgumentType]
        # In bf16, steps below half a ULP would be rounded away.
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(torch.float32)
        return adapted

    def effective_weights(self, policy: Policy) -> Iterator[tuple[str, Tensor]]:
        """Yield the published weights of every adapted module."""
        for name, layer in adapted_layers(policy.model).items():
            module = policy.original.get_submodule(name)
            base = {n: p.data.to(torch.float32) for n, p in module.named_parameters()}
            if isinstance(module, FourBitLinear):
                base = {"weight": module.weight.to(torch.float32), **base}
            for short, weight in self.adapted_weights(layer, base).items():
                yield f"{name}.{short}", weight

    def adapter(self, policy: Policy) -> Adapter:
        """Return the adapter that peft trained."""
        return own_adapter(policy)
