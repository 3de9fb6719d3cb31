"""What methods that add a product of low rank have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from verirank.config import InputError
from verirank.kernels import low_rank_linear
from verirank.methods._peft_method import PeftMethod, adapted_layers
from verirank.methods._policy import Policy
from verirank.models import FourBitLinear, ModelShape

if TYPE_CHECKING:
    from peft import PeftConfig


class LowRankMethod(PeftMethod):
    """A method whose layer computes W x + B A x; peft builds it, and only its forward is ours."""

    bounded: ClassVar[bool] = True
    """Whether a rank above that of every adapted matrix is a mistake, as of trained factors."""

    def multiplications(self, shape: ModelShape) -> int:
        """Return the sum of r (in + out) over the adapted linears, trained or frozen."""
        return sum(self.config.rank * (i + o) for i, o in shape.adapted(self.config.modules))

    @abstractmethod
    def factors_of(self, layer: Any) -> tuple[Tensor, Tensor]:
        """Return A (r x in) and B (out x r), with every scale in them, of one of peft's layers."""

    def output(self, layer: Any, x: Tensor) -> Tensor:
        """Return what an adapted layer makes of x (... x in): ... x out."""
        base = layer.base_layer
        if isinstance(base, FourBitLinear):
            return base(x) + self.low_rank_output(layer, x)
        return low_rank_linear(x, base.weight, base.bias, *self.factors_of(layer))

    def low_rank_output(self, layer: Any, x: Tensor) -> Tensor:
        """Return B A x, beside a base that keeps no weight for the backward pass."""
        a, b = self.factors_of(layer)
        return nn.functional.linear(nn.functional.linear(x.to(a.dtype), a), b)

    def expect_shapes(self, model: nn.Module) -> None:
        """Refuse a rank above that of every adapted matrix.

        Raises:
            InputError: it is.
        """
        highest = max(ranks_of(model, self.targets(model)))
        if self.bounded and self.config.rank > highest:
            raise InputError(
                f"method {self.name!r}: method.rank = {self.config.rank} is above {highest}, the "
                "highest rank of any matrix that it adapts"
            )

    def wrap(self, model: nn.Module, config: PeftConfig, seed: int) -> nn.Module:
        """Let peft wrap a model of the right shapes, and compute its layers' outputs by `output`.

        Raises:
            InputError: its shapes do not suit (`expect_shapes`).
        """
        self.expect_shapes(model)
        wrapped = super().wrap(model, config, seed)
        for layer in adapted_layers(wrapped).values():
            layer.forward = partial(_forward, self, layer)
        return wrapped

    @torch.no_grad()
    def low_rank_update(self, policy: Policy) -> dict[str, tuple[Tensor, Tensor]]:
        """Return the factors of every adapted module."""
        return {name: self.factors_of(lay) for name, lay in adapted_layers(policy.model).items()}


def ranks_of(model: nn.Module, names: Iterable[str]) -> list[int]:
    """Return how many singular values each of a model's linear layers has."""
    layers: list[Any] = [model.get_submodule(name) for name in names]
    # Not of the weights' shapes: those of a 4-bit layer are there once it is dequantised.
    return [min(layer.in_features, layer.out_features) for layer in layers]


def _forward(method: LowRankMethod, layer: Any, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    if layer.disable_adapters or layer.merged:
        output: Tensor = type(layer).forward(layer, x, *args, **kwargs)
        return output
    return method.output(layer, x)
