"""AdaLoRA: LoRA in singular-value form, which moves its rank budget to where it matters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from verirank.config import DefaultRates, InputError
from verirank.methods._adapter import PREFIX, Adapter
from verirank.methods._adapters_of import settings_to_load
from verirank.methods._low_rank import LowRankMethod
from verirank.methods._peft_method import ADAPTER, adapted_layers
from verirank.methods._policy import Policy
from verirank.methods._settings import LowRankConfig
from verirank.models import ModelShape

_AVERAGES = ("exp_avg_ipt", "exp_avg_unc")
_RANK_PATTERN = "rank_pattern"


class _Config(LowRankConfig):
    """`rank` is where every layer starts; `target_rank` (None: half of it) the final mean rank."""

    rank: int = Field(default=32, ge=2)
    target_rank: int | None = Field(default=None, ge=1)
    orthogonality: float = Field(default=0.5, ge=0)

    @property
    def resolved_target(self) -> int:
        return self.rank // 2 if self.target_rank is None else self.target_rank

    @model_validator(mode="after")
    def _rank_can_shrink(self) -> Self:
        if self.resolved_target >= self.rank:
            raise ValueError(f"target_rank {self.target_rank} must be below rank {self.rank}")
        return self


class _Schedule(NamedTuple):
    """The phases of a trial, in optimiser steps: warm-up, budget phase, final tuning."""

    warm_up: int
    final: int
    interval: int

    @classmethod
    def of(cls, total_steps: int) -> Self:
        """Warm up for a tenth, tune the final ranks for a third, and reallocate in between.

        Raises:
            InputError: the trial is too short for a budget phase.
        """
        if total_steps < 3:
            raise InputError(f"method 'adalora' needs at least 3 steps, not {total_steps}")
        return cls(max(1, total_steps // 10), max(1, total_steps // 3), max(1, total_steps // 100))

    def budget(self, step: int, total_steps: int, initial: int, target: int) -> int:
        """Return the number of singular values left after a step (arXiv:2303.10512, eq. 12)."""
        if step <= self.warm_up:
            return initial
        if step >= total_steps - self.final:
            return target
        left = 1 - (step - self.warm_up) / (total_steps - self.final - self.warm_up)
        return int((initial - target) * left**3 + target)


class AdaLoRA(LowRankMethod):
    """W = W0 + s B diag(E) A, whose least important E are set to zero (arXiv:2303.10512).

    The penalty keeps A and B near orthogonal. Its weight is peft's default; A's and B's other
    gradients vanish with E, which starts at zero, so it steers them alone at first.
    """

    name = "adalora"
    family = "structural"
    reference = "arXiv:2303.10512"
    default_rates = DefaultRates(
        micro=1e-2,
        other=2e-3,
        how_found="a guess: twenty times lora's, because A, B and E all start small",
    )
    Config = _Config

    @classmethod
    def final_phase(cls, total_steps: int) -> int:
        """Return the step by which the final ranks stand."""
        return total_steps - _Schedule.of(total_steps).final

    def count(self, shape: ModelShape) -> int:
        """Return the sum of r (in + out + 1) at the initial rank over the adapted linears."""
        return sum(self.config.rank * (i + o + 1) for i, o in shape.adapted(self.config.modules))

    def peft_config(self, model: nn.Module, *, seed: int, total_steps: int) -> Any:
        """Return an AdaLoraConfig whose phases fit the trial."""
        from peft import AdaLoraConfig

        schedule = _Schedule.of(total_steps)
        return AdaLoraConfig(
            task_type="CAUSAL_LM",
            init_r=self.config.rank,
            target_r=self.config.resolved_target,
            lora_alpha=self.config.resolved_alpha,  # pyright: ignore[reportArgumentType]
            target_modules=self.module_names(model),
            orth_reg_weight=self.config.orthogonality,
            total_step=total_steps,
            tinit=schedule.warm_up,
            tfinal=schedule.final,
            deltaT=schedule.interval,
        )

    def attach(
        self,
        model: nn.Module,
        *,
        seed: int,
        total_steps: int,
        initial: Mapping[str, Tensor] | None = None,
    ) -> nn.Module:
        """Attach AdaLoRA and freeze the divisor of its scale."""
        adapted = super().attach(model, seed=seed, total_steps=total_steps, initial=initial)
        for layer in adapted_layers(adapted).values():
            # Over a bf16 base peft makes a new, trainable tensor of it.
            layer.ranknum[ADAPTER].requires_grad_(False)
        return adapted

    def adapted_weights(self, layer: Any, base: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return W0 + s B diag(E) A."""
        return {"weight": base["weight"] + layer.get_delta_weight(ADAPTER)}

    def factors_of(self, layer: Any) -> tuple[Tensor, Tensor]:
        """Return A and s B diag(E) at the initial rank; what was pruned is zero in B."""
        scale = layer.scaling[ADAPTER] / (layer.ranknum[ADAPTER] + 1e-5)  # as peft scales
        return layer.lora_A[ADAPTER], scale * layer.lora_B[ADAPTER] * layer.lora_E[ADAPTER].T

    def adapter(self, policy: Policy) -> Adapter:
        """Return peft's AdaLoRA at its initial rank, in which what was pruned has an E of zero.

        A rank pattern would leave the pruned out, but peft warns of ignoring it whenever it loads
        one, though it does not.
        """
        config, tensors = settings_to_load(policy), {}
        config.rank_pattern = None
        for name, layer in adapted_layers(policy.model).items():
            for part in ("lora_A", "lora_B", "lora_E"):
                tensors[f"{PREFIX}{name}.{part}"] = getattr(layer, part)[ADAPTER].detach()
        return Adapter(config, tensors)

    def penalty(self, policy: Policy) -> Tensor:
        """Return the weighted mean of ||A A^T - I|| and ||B^T B - I|| (eq. 4 of the paper).

        peft adds this to a loss that the model computes; an RL loss is computed outside of it.
        """
        norms = []
        for layer in adapted_layers(policy.model).values():
            for rows in (layer.lora_A[ADAPTER], layer.lora_B[ADAPTER].T):
                identity = torch.eye(rows.shape[0], device=rows.device)
                norms.append(torch.linalg.norm(rows @ rows.T - identity))
        return self.config.orthogonality * torch.stack(norms).mean()

    def after_step(self, policy: Policy, step: int) -> None:
        """Update the importance of every singular value and keep as many as the budget allows."""
        policy.model.base_model.update_and_allocate(step)

    def remaining_parameters(self, policy: Policy) -> int:
        """Return the sum of in + out + 1 over the singular values that were not pruned."""
        left = 0
        for layer in adapted_layers(policy.model).values():
            of_one = layer.lora_A[ADAPTER].shape[1] + layer.lora_B[ADAPTER].shape[0] + 1
            left += of_one * int((layer.lora_E[ADAPTER] != 0).sum())
        return left

    def extra_state(self, policy: Policy) -> dict[str, Tensor]:
        """Return the importance averages and the allocated ranks."""
        allocator = policy.model.base_model.rankallocator
        pattern = policy.model.peft_config[ADAPTER].rank_pattern or {}
        averages = {f"{k}/{n}": t for k in _AVERAGES for n, t in getattr(allocator, k).items()}
        return averages | {f"{_RANK_PATTERN}/{n}": torch.tensor(r) for n, r in pattern.items()}

    def load_extra_state(self, policy: Policy, state: Mapping[str, Tensor]) -> None:
        """Take back the importance averages and the allocated ranks."""
        allocator = policy.model.base_model.rankallocator
        for kind in _AVERAGES:
            setattr(allocator, kind, {n: t.clone() for n, t in _under(kind, state).items()})
        # peft starts the averages afresh for whatever has no entry in `ipt`.
        allocator.ipt = {name: torch.zeros_like(t) for name, t in allocator.exp_avg_ipt.items()}
        pattern = {n: t.tolist() for n, t in _under(_RANK_PATTERN, state).items()}
        policy.model.peft_config[ADAPTER].rank_pattern = pattern or None

    def behaviour(self, policy: Policy, step: Callable[[], int]) -> tuple[bool, str]:
        """The total rank follows the schedule to its end."""
        layers, total = adapted_layers(policy.model).values(), policy.total_steps
        initial, target = (len(layers) * r for r in (self.config.rank, self.config.resolved_target))
        schedule, ranks, expected, taken = _Schedule.of(total), [], [], 0
        while taken < total:
            taken = step()
            ranks.append(sum(int((layer.lora_E[ADAPTER] != 0).sum()) for layer in layers))
            expected.append(schedule.budget(taken, total, initial, target))
        return ranks == expected, f"total ranks {ranks}, schedule {expected}"


def _under(kind: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    prefix = f"{kind}/"
    return {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
