"""The layers computed here give peft's outputs and gradients, at less cost."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from verirank.config import ModelConfig, resolve
from verirank.methods import Policy, adapted_layers
from verirank.models import load_base

LOW_RANK = ["lora", "dora", "adalora", "miss", "pissa", "milora", "rslora", "lora-fa", "vera"]


@pytest.mark.parametrize("method", LOW_RANK)
def test_outputs_and_gradients_are_those_of_peft(method: str) -> None:
    config = resolve({"model": {"name": "micro"}, "method": {"name": method}}).method
    policy = Policy.create(load_base(ModelConfig(name="micro")), config, seed=0, total_steps=9)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in policy.trainable().values():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    ours = _through(policy)
    for layer in adapted_layers(policy.model).values():
        del layer.forward
    if method == "dora":
        _give_back_dora(policy)
    for found, expected in zip(ours, _through(policy), strict=True):
        assert (found - expected).norm() <= 1e-3 * expected.norm()


def _through(policy: Policy) -> list[Tensor]:
    tokens = torch.arange(2, 22).reshape(2, 10)
    logits = policy.model(input_ids=tokens).logits
    logits = logits / logits.detach().norm()
    gradients = torch.autograd.grad(logits[..., :5].sum(), list(policy.trainable().values()))
    return [logits.detach(), *gradients]


def _give_back_dora(policy: Policy) -> None:
    from peft.tuners.lora.dora import DoraLinearLayer

    for layer in adapted_layers(policy.model).values():
        magnitude = layer.lora_magnitude_vector["default"]
        magnitude.__class__ = DoraLinearLayer
