"""Optimisers over a method's own parameter groups, those of torch: AdamW, SGD and Muon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, AdamW, Muon, Optimizer

from verirank.config import TrainingConfig

Groups = list[dict[str, Any]]
"""Parameter groups, each with its own `lr`."""


def make_optimizer(
    groups: Groups,
    training: TrainingConfig,
    learning_rate: float,
    is_matrix: Callable[[nn.Parameter], bool],
) -> Optimizer:
    """Return the optimiser that the settings name.

    Args:
        groups: the method's, which keep their own rates.
        training: names the optimiser, and has its betas, momentum and weight decay.
        learning_rate: of groups without one.
        is_matrix: whether Muon takes a parameter; it leaves the others to AdamW.
    """
    decay, momentum = training.weight_decay, training.momentum
    if training.optimizer == "sgd":
        return SGD(groups, lr=learning_rate, momentum=momentum, weight_decay=decay)
    if training.optimizer == "muon":
        return MuonWithAdamW(groups, training, learning_rate, is_matrix)
    return AdamW(groups, lr=learning_rate, betas=training.betas, weight_decay=decay)


class MuonWithAdamW(Optimizer):
    """Muon for matrices and AdamW for everything else, as one optimiser with one state.

    Muon's step is scaled to AdamW's root mean square (arXiv:2502.16982, eq. 4), so that both parts
    take the same learning rate.
    """

    def __init__(
        self,
        groups: Groups,
        training: TrainingConfig,
        learning_rate: float,
        is_matrix: Callable[[nn.Parameter], bool],
    ) -> None:
        """Split every group into the matrices and the others, at the group's own rate."""
        matrices, others = Groups(), Groups()
        for group in groups:
            for part, wanted in ((matrices, True), (others, False)):
                if held := [p for p in group["params"] if is_matrix(p) is wanted]:
                    part.append({"lr": learning_rate, **group, "params": held})
        decay = training.weight_decay
        self._parts: list[Optimizer] = []
        if matrices:
            self._parts.append(
                Muon(
                    matrices,
                    weight_decay=decay,
                    momentum=training.momentum,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
        if others:
            self._parts.append(AdamW(others, betas=training.betas, weight_decay=decay))
        super().__init__([group for part in self._parts for group in part.param_groups], {})
        self._link_parts()

    def _link_parts(self) -> None:
        """Let the parts work on this optimiser's groups and state."""
        first = 0
        for part in self._parts:
            last = first + len(part.param_groups)
            part.param_groups, part.state = self.param_groups[first:last], self.state
            first = last

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Let both parts take a step; a closure is not called, as the gradients are there."""
        for part in self._parts:
            part.step()
        return None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back a state, which both parts then go on from."""
        super().load_state_dict(state_dict)
        self._link_parts()
