"""The layers computed here give peft's outputs and gradients, at less cost."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from verirank.config import ModelConfig, resolve
from verirank.methods import Policy
from verirank.methods._low_rank import low_rank_linear
from verirank.methods._peft_method import adapted_layers
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


@pytest.mark.parametrize("rank", [2, 40])
def test_thin_and_dense_products_agree_with_the_sum_of_weights(rank: int) -> None:
    draws: Any = torch.Generator().manual_seed(rank)
    shapes = [(3, 7, 24), (40, 24), (40,), (rank, 24), (40, rank)]
    x, weight, bias, a, b = (torch.randn(s, generator=draws, dtype=torch.float32) for s in shapes)
    for tensor in (x, a, b):
        tensor.requires_grad_()
    results = []
    for output in (low_rank_linear(x, weight, bias, a, b), x @ (weight + b @ a).T + bias):
        results.append([output, *torch.autograd.grad(output.square().sum(), [x, a, b])])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_over_a_bf16_weight_a_small_update_is_not_rounded_away() -> None:
    weight = torch.ones(4, 4, dtype=torch.bfloat16)
    a, b = torch.eye(4), 1e-4 * torch.tensor([1.0, 0.0, 2.0, 0.0]).repeat(4, 1)
    x = torch.tensor([[1.0, -1.0, 1.0, -1.0]], dtype=torch.bfloat16)  # W x is 0
    output = low_rank_linear(x, weight, None, a, b)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), torch.full((1, 4), 3e-4), rtol=1e-2, atol=0)
