"""The layers computed here give peft's outputs and gradients, at less cost."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from verirank.config import ModelConfig, resolve
from verirank.methods import Policy
from verirank.methods._low_rank import low_rank_linear, scaled_outputs
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


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scaled_outputs_are_rounded_once_and_their_gradients_are_exact(
    dtype: torch.dtype, biased: bool
) -> None:
    draws: Any = torch.Generator().manual_seed(0)
    y, grad = (torch.randn((4, 128, 24), generator=draws).to(dtype) for _ in range(2))
    bias = 30 * torch.randn(24, generator=draws).to(dtype) if biased else None
    factor = 1 + 0.2 * torch.randn(24, generator=draws)
    factor[3] = 0.0
    y.requires_grad_()
    factor.requires_grad_()
    scaled = scaled_outputs(y, factor, bias)
    by_y, by_factor = torch.autograd.grad(scaled, [y, factor], grad)
    assert scaled.dtype == by_y.dtype == dtype and by_factor.dtype == torch.float32
    exact, wide = factor.detach().double(), y.detach().double()
    expected = wide * exact + (0 if bias is None else bias.double())
    tiny = torch.finfo(torch.float32).eps * 8
    # Half a unit in the last place, and what fp32 adds to it.
    for found, right in ((scaled, expected), (by_y, grad.double() * exact)):
        largest = right.abs() * torch.finfo(dtype).eps / 2 + tiny * (right.abs() + 30)
        assert ((found.double() - right).abs() <= largest).all()
    torch.testing.assert_close(
        by_factor.double(), (grad.double() * wide).sum((0, 1)), rtol=1e-4, atol=1e-4
    )
