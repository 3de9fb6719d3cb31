"""OLoRA: LoRA that starts from the first rows and columns of every weight's QR decomposition."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from verirank.config import DefaultRates
from verirank.methods._policy import Policy
from verirank.methods._svd_initialised import ResidualLoRA


class OLoRA(ResidualLoRA):
    """B0 A0 = Q_r R_r of W = Q R (arXiv:2406.01775), in the base's place as PiSSA's is.

    peft's own start writes the residual into the weight that it is handed, an fp32 base's own.
    """

    name = "olora"
    reference = "arXiv:2406.01775"
    default_rates = DefaultRates(micro=1e-4, other=1e-5, how_found="a guess: pissa's")

    def factors(self, layer: Any, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return A = R_r and B = Q_r."""
        left, right = torch.linalg.qr(weight)
        return right[: self.config.rank], left[:, : self.config.rank]

    def start_off(self, policy: Policy) -> float:
        """Return how far the columns of B0 are from orthonormal."""
        off = 0.0
        for name, tensor in policy.initial.items():
            if name.endswith("lora_B"):
                identity = torch.eye(tensor.shape[1], device=tensor.device)
                off = max(off, float((tensor.T @ tensor - identity).abs().max()))
        return off
