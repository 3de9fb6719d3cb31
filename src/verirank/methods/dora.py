"""DoRA: the direction of a weight is adapted by LoRA, its row norms by a vector of magnitudes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from verirank.config import DefaultRates
from verirank.kernels import low_rank_linear, scaled_outputs
from verirank.methods._method import Method
from verirank.methods._peft_method import ADAPTER, adapted_layers
from verirank.methods._policy import Policy
from verirank.methods.lora import LoRA
from verirank.models import FourBitLinear, ModelShape


class DoRA(LoRA):
    """W = m (W0 + s B A) / ||W0 + s B A||, row by row (arXiv:2402.09353, equation 5)."""

    name = "dora"
    family = "structural"
    reference = "arXiv:2402.09353"
    default_rates = DefaultRates(
        micro=3.3e-4, other=1e-4, how_found="lora's; used in docs/results/smollm2.md"
    )

    flags: ClassVar[dict[str, Any]] = {"use_dora": True}

    def count(self, shape: ModelShape) -> int:
        """Return LoRA's count and one magnitude an output."""
        return super().count(shape) + sum(o for _, o in shape.adapted(self.config.modules))

    def kept_activations(self, shape: ModelShape) -> int:
        """Return the outputs of all adapted linears: their direction is kept beside them."""
        outputs = sum(o for _, o in shape.adapted(self.config.modules))
        return outputs // shape.layers

    def attach(
        self,
        model: nn.Module,
        *,
        seed: int,
        total_steps: int,
        initial: Mapping[str, Tensor] | None = None,
    ) -> nn.Module:
        """Attach LoRA, read the magnitudes off the base in fp32, and use the norm's closed form."""
        from verirank.methods._dora_layer import ClosedFormDora

        adapted = super().attach(model, seed=seed, total_steps=total_steps, initial=initial)
        for layer in adapted_layers(adapted).values():
            # peft keeps magnitudes in the base's dtype: in bf16 they would rescale the base.
            dora = ClosedFormDora(layer.base_layer.weight.data)
            layer.lora_magnitude_vector[ADAPTER] = dora
        return adapted

    def output(self, layer: Any, x: Tensor) -> Tensor:
        """Return the outputs of the direction, each scaled by its factor, and the bias."""
        base = layer.base_layer
        if isinstance(base, FourBitLinear):
            direction = base.product(x) + self.low_rank_output(layer, x)
        else:
            direction = low_rank_linear(x, base.weight, None, *self.factors_of(layer))
        factor = layer.lora_magnitude_vector[ADAPTER].factor(layer)
        return scaled_outputs(direction, factor, base.bias)

    def adapted_weights(self, layer: Any, base: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the merged direction with the trained row norms."""
        direction = base["weight"] + layer.get_delta_weight(ADAPTER)
        factor = _magnitude(layer) / torch.linalg.norm(direction, dim=1)
        return {"weight": factor.unsqueeze(1) * direction}

    def low_rank_update(self, policy: Policy) -> dict[str, tuple[Tensor, Tensor]]:
        """Refuse: rescaling the rows of W0 is an update of full rank."""
        return Method.low_rank_update(self, policy)

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """Every published row has the norm that its trained magnitude states."""
        published = policy.unfolded_weights()
        error = 0.0
        for name, layer in adapted_layers(policy.model).items():
            stated = _magnitude(layer).detach()
            norms = torch.linalg.norm(published[f"{name}.weight"], dim=1)
            error = max(error, float(((norms - stated) / stated).abs().max()))
        right_scale, detail = self.scaled_by(policy)
        return right_scale and error < 1e-4, f"row norms off by {error:.1e}; {detail}"


def _magnitude(layer: Any) -> nn.Parameter:
    return layer.lora_magnitude_vector[ADAPTER].weight
