"""peft's DoRA layer with the row norms in closed form, taken once per optimiser step."""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora.dora import DoraLinearLayer
from torch import Tensor, nn


class ClosedFormDora(DoraLinearLayer):
    """Adds (f - 1) W0 x + f s B A x to a layer's output, with f = m / ||W0 + s B A|| by row.

    As in the paper (arXiv 2402.09353, section 4.3) the norm carries no gradient. peft builds the
    dense B A and its norm in every forward pass; here ||W0 + s B A||^2 = ||W0||^2 +
    2 s <W0 A^T, B> + s^2 <B A A^T, B>, kept for as long as A and B stay as they are.
    """

    def __init__(self, weight: Tensor) -> None:
        """Start with the magnitudes of a base weight (out x in), in fp32."""
        super().__init__(fan_in_fan_out=False)
        # The same norm as in publishing, so that the first published weights are the base's bits.
        self.weight = nn.Parameter(torch.linalg.norm(weight.to(torch.float32), dim=1))
        self._squares = self.weight.detach().square()
        self._taken_at: tuple[int, ...] | None = None
        self._norms = self._squares

    def forward(
        self,
        x: Tensor,
        *,
        lora_A: Any,
        lora_B: Any,
        scaling: float,
        base_layer: Any,
        base_result: Tensor | None = None,
        adapter_name: str = "default",
    ) -> Tensor:
        """Return what DoRA adds to the base layer's output; there is no dropout here."""
        if base_result is None:  # peft leaves it out where there is dropout
            raise ValueError("this layer has no dropout")
        factor = self.weight / self._row_norms(lora_A.weight, lora_B.weight, scaling, base_layer)
        unbiased: Tensor = base_result if base_layer.bias is None else base_result - base_layer.bias
        low_rank: Tensor = lora_B(lora_A(x))
        return (factor - 1) * unbiased + factor * scaling * low_rank

    @torch.no_grad()
    def _row_norms(self, a: Tensor, b: Tensor, scaling: float, base_layer: Any) -> Tensor:
        state = (a.data_ptr(), a._version, b.data_ptr(), b._version)
        if state != self._taken_at:
            with torch.autocast(a.device.type, enabled=False):
                crossed = base_layer.weight.to(torch.float32) @ a.T + 0.5 * scaling * (
                    b @ (a @ a.T)
                )
                self._norms = (self._squares + 2 * scaling * (crossed * b).sum(1)).sqrt()
            self._taken_at = state
        return self._norms
