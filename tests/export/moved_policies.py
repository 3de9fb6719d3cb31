"""Policies moved as training would move them, and their logits."""

from __future__ import annotations

import torch

from verirank.config import MethodConfig, TrainingConfig
from verirank.methods import Policy, RandomData
from verirank.models import BaseModel

STEPS = 6
RATES = {"adalora": 2e-2, "ia3": 2e-2, "ln-tuning": 2e-2, "vera": 2e-2, "lora-plus": 2e-4}


def moved_policy(base: BaseModel, method: str) -> Policy:
    """Return a policy after optimiser steps along random gradients."""
    config, data = MethodConfig(name=method), RandomData.of(base)
    policy = Policy.create(base, config, seed=1, total_steps=STEPS, data=data)
    optimizer = policy.optimizer(TrainingConfig(), RATES.get(method, 2e-3))
    generator = torch.Generator().manual_seed(0)
    for step in range(1, STEPS + 1):
        for parameter in policy.trainable().values():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        policy.update(optimizer, step, max_norm=1.0)
        optimizer.zero_grad()
    return policy


def served(policy: Policy) -> torch.Tensor:
    """Return the logits of the weights that a sampler serves."""
    model = policy.base.sharing_copy()
    parameters = dict(model.named_parameters())
    for name, weight in policy.effective_weights():
        parameters[name].data = weight.to(policy.base.dtype)
    return logits(model)


def logits(model) -> torch.Tensor:
    """Return fp32 logits of fixed tokens, of which the micro model knows 23."""
    tokens_NT = torch.randint(23, (4, 24), generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        return model.eval()(input_ids=tokens_NT).logits.float()
