"""A low-rank linear layer equals the product with the sum of its weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from verirank.kernels import (
    low_rank_linear,
    low_rank_row_norms,
    plain_low_rank_linear,
    plain_row_norms,
    plain_scaled_outputs,
    scaled_outputs,
)


@pytest.mark.parametrize("rank", [2, 40])
def test_thin_and_dense_products_agree_with_the_sum_of_weights(rank: int) -> None:
    draws: Any = torch.Generator().manual_seed(rank)
    shapes = [(3, 7, 24), (40, 24), (40,), (rank, 24), (40, rank)]
    x, weight, bias, a, b = (torch.randn(s, generator=draws, dtype=torch.float32) for s in shapes)
    for tensor in (x, a, b):
        tensor.requires_grad_()
    results = []
    for output in (
        low_rank_linear(x, weight, bias, a, b),
        plain_low_rank_linear(x, weight, bias, a, b),
    ):
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
    expected = plain_scaled_outputs(wide, exact, None if bias is None else bias.double())
    tiny = torch.finfo(torch.float32).eps * 8
    # Half a unit in the last place, and what fp32 adds to it.
    for found, right in ((scaled, expected), (by_y, grad.double() * exact)):
        largest = right.abs() * torch.finfo(dtype).eps / 2 + tiny * (right.abs() + 30)
        assert ((found.double() - right).abs() <= largest).all()
    torch.testing.assert_close(
        by_factor.double(), (grad.double() * wide).sum((0, 1)), rtol=1e-4, atol=1e-4
    )


def test_closed_form_row_norms_are_those_of_the_sum() -> None:
    draws = torch.Generator().manual_seed(0)
    weight, a, b = (torch.randn(s, generator=draws) for s in ((40, 24), (3, 24), (40, 3)))
    closed = low_rank_row_norms(weight.square().sum(1), weight, a, b, 0.7)
    torch.testing.assert_close(closed, plain_row_norms(weight, a, b, 0.7))
