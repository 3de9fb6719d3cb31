"""peft's DoRA layer with the row norms in closed form, taken once per optimiser step."""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora.dora import DoraLinearLayer
from torch import Tensor, nn

from verirank.kernels import low_rank_row_norms
from verirank.methods._adapter import ADAPTER


class ClosedFormDora(DoraLinearLayer):
    """Scales the outputs of W0 + s B A by f = m / ||W0 + s B A||, row by row.

    As in the paper (arXiv:2402.09353, section 4.3) the norm carries no gradient. peft builds the
    dense B A and its norm in every forward pass; here the norm has a closed form, computed once
    per value of A and B.
    """

    _squares: Tensor
    _norms: Tensor

    def __init__(self, weight: Tensor) -> None:
        """Start with the magnitudes of a base weight (out x in), in fp32."""
        super().__init__(fan_in_fan_out=False)
        # The same norm as in publishing, so that the first published weights are the base's bits.
        self.weight = nn.Parameter(torch.linalg.norm(weight.to(torch.float32), dim=1))
        # Buffers follow the module to another device; none is part of what is saved.
        self.register_buffer("_squares", self.weight.detach().square(), persistent=False)
        self.register_buffer("_norms", self._squares, persistent=False)
        self._taken_at: tuple[int, ...] | None = None

    def factor(self, layer: Any) -> Tensor:
        """Return f of the layer that this belongs to, out, in fp32."""
        a, b = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
        return self.weight / self._row_norms(a, b, layer.scaling[ADAPTER], layer.base_layer)

    @torch.no_grad()
    def _row_norms(self, a: Tensor, b: Tensor, scaling: float, base_layer: Any) -> Tensor:
        state = (a.data_ptr(), a._version, b.data_ptr(), b._version)
        if state != self._taken_at:
            with torch.autocast(a.device.type, enabled=False):
                weight = base_layer.weight
                self._norms = low_rank_row_norms(self._squares, weight, a, b, scaling)
            self._taken_at = state
        return self._norms
