"""DoRA's closed form is peft's forward pass and gradient, without its cost."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from verirank.config import resolve
from verirank.kernels import _low_rank
from verirank.methods import create_method
from verirank.methods._dora_layer import ClosedFormDora


class _Toy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(24, 40)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


@pytest.mark.parametrize("wide", [2**25, 80], ids=["at-once", "in-parts"])
def test_forward_and_gradients_are_those_of_peft(
    wide: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_low_rank, "_PRODUCTS", wide)
    torch.manual_seed(0)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["linear"], use_dora=True)
    model = get_peft_model(_Toy(), config).eval()
    layer = model.base_model.model.linear
    nn.init.normal_(layer.lora_B["default"].weight)
    x, cotangent = torch.randn(7, 24), torch.randn(7, 40)
    with torch.no_grad():
        layer.lora_magnitude_vector["default"].weight.mul_(1.3)
    dora = create_method(resolve({"method": {"name": "dora"}}).method)
    results = []
    for swap in (False, True):
        if swap:
            magnitude = layer.lora_magnitude_vector["default"].weight.detach()
            ours = ClosedFormDora(layer.base_layer.weight.data)
            ours.weight.data = magnitude
            layer.lora_magnitude_vector["default"] = ours
        tensors = [
            layer.lora_A["default"].weight,
            layer.lora_B["default"].weight,
            layer.lora_magnitude_vector["default"].weight,
        ]
        output = dora.output(layer, x) if swap else model(x)
        results.append([output, *torch.autograd.grad((output * cotangent).sum(), tensors)])
    for theirs, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_the_norm_is_taken_anew_once_an_optimiser_has_stepped() -> None:
    base, a, b = nn.Linear(6, 5), nn.Linear(6, 2, bias=False), nn.Linear(2, 5, bias=False)
    layer = ClosedFormDora(base.weight.data)
    optimizer = torch.optim.SGD([a.weight, b.weight], lr=0.5)
    for _ in range(3):
        expected = torch.linalg.norm(base.weight + 2.0 * b.weight @ a.weight, dim=1)
        torch.testing.assert_close(layer._row_norms(a.weight, b.weight, 2.0, base), expected)
        (b(a(torch.ones(1, 6)))).sum().backward()
        optimizer.step()
