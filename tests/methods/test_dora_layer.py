"""DoRA's row norms have a closed form, which is taken once per optimiser step."""

from __future__ import annotations

import torch
from torch import nn

from verirank.methods._dora_layer import ClosedFormDora


def test_the_norm_is_taken_anew_once_an_optimiser_has_stepped() -> None:
    base, a, b = nn.Linear(6, 5), nn.Linear(6, 2, bias=False), nn.Linear(2, 5, bias=False)
    layer = ClosedFormDora(base.weight.data)
    optimizer = torch.optim.SGD([a.weight, b.weight], lr=0.5)
    for _ in range(3):
        expected = torch.linalg.norm(base.weight + 2.0 * b.weight @ a.weight, dim=1)
        torch.testing.assert_close(layer._row_norms(a.weight, b.weight, 2.0, base), expected)
        (b(a(torch.ones(1, 6)))).sum().backward()
        optimizer.step()
