"""Dropout in the adapter while it is trained, whose noise enters the importance ratio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from verirank.config import InputError
from verirank.defects._defect import Defect
from verirank.methods import LowRankMethod, Method, Policy, adapted_layers
from verirank.sampling import sample_seed

_SHARE = 0.05
"""Of the adapter's inputs that are dropped, as was released."""


class AdapterDropout(Defect):
    """The trainer's adapter sees W x + B A d(x), d dropping 5 % of its inputs; the sampler's all.

    So the probabilities of trainer and sampler differ by noise, and the importance ratio is not 1
    where the weights are the same. Evaluation drops nothing. A mask is drawn from the trial's seed,
    the layer, and the layer's weights and inputs: it is the same when layers are computed again in
    the backward pass, and when a run is resumed.
    """

    name: ClassVar[str] = "adapter-dropout"
    in_training: ClassVar[bool] = True

    def expect_suits(self, method: Method) -> None:
        """Refuse a method that does not add a product B A to its layers' outputs.

        Raises:
            InputError: it does not.
        """
        if not _adds_a_product(method):
            raise InputError(f"defect {self.name!r}: method {method.name!r} adds no product B A")

    def trained_policy(self, policy: Policy) -> None:
        """Put the noise into every adapted layer.

        Raises:
            InputError: the method does not suit the defect.
        """
        self.expect_suits(policy.method)
        method: Any = policy.method
        for name, layer in adapted_layers(policy.model).items():
            layer.forward = _dropping(method, layer, layer.forward, (policy.seed, name))


def _adds_a_product(method: Method) -> bool:
    return isinstance(method, LowRankMethod) and type(method).output == LowRankMethod.output


def _dropping(
    method: LowRankMethod, layer: Any, forward: Callable[..., Tensor], key: tuple[int, str]
) -> Callable[..., Tensor]:
    def dropping(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        a, b = (factor.to(x.dtype) for factor in method.factors_of(layer))
        noise = x * _mask(x, (*key, float(b.detach().sum()), float(x.detach().sum())))
        return forward(x, *args, **kwargs) + (noise @ a.T) @ b.T

    return dropping


def _mask(x: Tensor, key: tuple[int, str, float, float]) -> Tensor:
    """Return what dropout adds to each input in units of it: -1, or p / (1 - p) where it stays."""
    generator = torch.Generator().manual_seed(sample_seed("adapter-dropout", *map(repr, key)))
    kept = torch.rand(x.shape, generator=generator) >= _SHARE
    return (kept / (1 - _SHARE) - 1).to(x.device, x.dtype)
