"""The fused head equals a log-softmax of the logits, forward and backward."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from verirank.kernels import chosen_logprobs, plain_chosen_logprobs

TEMPERATURE = 0.7


@pytest.mark.parametrize("trained", [True, False], ids=["trained head", "frozen head"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_the_head_is_a_log_softmax(trained: bool, bias: bool) -> None:
    torch.manual_seed(0)
    head = nn.Linear(8, 50, bias=bias).double().requires_grad_(trained)
    hidden = torch.randn(600, 8, dtype=torch.float64, requires_grad=True)
    tokens, weights = torch.randint(50, (600,)), torch.randn(600)
    inputs = [hidden, *head.parameters()] if trained else [hidden]
    logprobs = plain_chosen_logprobs(head, hidden, tokens, TEMPERATURE)
    found = chosen_logprobs(head, hidden, tokens, TEMPERATURE)
    torch.testing.assert_close(found, logprobs.float(), atol=1e-6, rtol=0)
    for one, other in zip(
        torch.autograd.grad((found * weights).sum(), inputs),
        torch.autograd.grad((logprobs * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-5)


def test_under_autocast_the_head_is_narrow_with_its_bias() -> None:
    torch.manual_seed(0)
    head, hidden = nn.Linear(8, 50), torch.randn(20, 8, requires_grad=True)
    tokens = torch.randint(50, (20,))
    with torch.autocast("cpu", torch.bfloat16):
        found = chosen_logprobs(head, hidden, tokens, 1.0)
    expected = plain_chosen_logprobs(head, hidden, tokens, 1.0)
    torch.testing.assert_close(found, expected, atol=0.03, rtol=0)
    inputs = [hidden, *head.parameters()]
    for one, other in zip(
        torch.autograd.grad(found.sum(), inputs),
        torch.autograd.grad(expected.sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other, atol=0.1, rtol=0.02)


@pytest.mark.parametrize("sure", [0.5, 0.9, 0.99, 0.999, 0.9999])
def test_a_nearly_sure_token_keeps_its_gradient_in_bf16(sure: float) -> None:
    torch.manual_seed(0)
    head = nn.Linear(256, 4096, bias=False).bfloat16().requires_grad_(False)
    weight = head.weight.double()
    token = torch.tensor([7])
    low, high = 0.0, 1e4
    for _ in range(60):  # how far along the token's own direction it is so sure
        middle = (low + high) / 2
        hidden = (middle * weight[7] / weight[7].norm()).bfloat16()[None]
        probability = float((hidden.double() @ weight.T).softmax(-1)[0, 7])
        low, high = (middle, high) if probability < sure else (low, middle)
    exact = hidden.double().requires_grad_()
    (expected,) = torch.autograd.grad((exact @ weight.T).log_softmax(-1)[0, 7], [exact])
    rounded = hidden.clone().requires_grad_()
    (found,) = torch.autograd.grad(chosen_logprobs(head, rounded, token, 1.0).sum(), [rounded])
    plain = hidden.clone().requires_grad_()
    (usual,) = torch.autograd.grad(head(plain).float().log_softmax(-1)[0, 7], [plain])
    scale = expected.norm()
    # Logits are rounded either way; nothing else may be.
    assert (
        float((found - expected).norm() / scale) < float((usual - expected).norm() / scale) + 0.02
    )
