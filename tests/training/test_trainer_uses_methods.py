"""The trainer steps in the method's own way: its penalty, its projection, its rank schedule."""

from __future__ import annotations

import pytest
import torch

from verirank.config import override, resolve
from verirank.methods import DivergedError, adapted_layers
from verirank.models import BaseModel
from verirank.sampling import TransformersSampler
from verirank.training import Clock, Trainer, prepare
from verirank.verifier import Verifier

SMALL = ["sampling.problems_per_step=2", "sampling.group_size=4", "training.steps=12"]


def trainer(base: BaseModel, verifier: Verifier, *assignments: str) -> Trainer:
    config = resolve(override({}, [*SMALL, *assignments]))
    return Trainer(config, base, TransformersSampler(base), verifier)


def gradients(one: Trainer) -> dict[str, torch.Tensor]:
    """Return the loss's gradients at the first step, as the method has not yet touched them."""
    _, groups = one._sample_groups(Clock())
    batch = prepare(groups, one.algorithm, max_new_tokens=one.max_new_tokens, most_tokens=10**6)
    one._accumulate_gradients(batch)
    return {name: p.grad for name, p in one.policy.trainable().items() if p.grad is not None}


def test_adalora_ends_with_its_target_rank(base: BaseModel, verifier: Verifier) -> None:
    one = trainer(base, verifier, "method.name=adalora", "method.rank=8")
    for _ in range(12):
        one.train_step()
    layers = adapted_layers(one.policy.model).values()
    kept = sum(int((layer.lora_E["default"] != 0).sum()) for layer in layers)
    assert kept == 4 * len(layers)


def test_adaloras_penalty_moves_a_and_b_before_anything_else_can(
    base: BaseModel, verifier: Verifier
) -> None:
    one = trainer(base, verifier, "method.name=adalora")
    before = {name: tensor.clone() for name, tensor in one.policy.state().items()}
    # While E is zero, the loss gives no gradient to A and B.
    one.train_step()
    for name, tensor in one.policy.trainable().items():
        if "lora_A" in name or "lora_B" in name:
            assert not torch.equal(tensor, before[name]), name


def test_lora_fa_steps_along_the_projected_gradient(base: BaseModel, verifier: Verifier) -> None:
    settings = ("method.name=lora-fa", "method.rank=8", "training.warmup_steps=0")
    seen, stepped = trainer(base, verifier, *settings), trainer(base, verifier, *settings)
    plain = gradients(seen)
    assert all(gradient.norm() > 0 for gradient in plain.values())
    projected = {}
    for name, layer in adapted_layers(seen.policy.model).items():
        a, gradient = layer.lora_A["default"].weight, layer.lora_B["default"].weight.grad
        inverse = torch.linalg.inv((a @ a.T).detach().double())
        projected[name] = gradient.double() @ inverse / seen.policy.method.scale**2
    norm = torch.cat([g.flatten() for g in projected.values()]).norm()
    clipped = min(1.0, seen.config.training.max_grad_norm / float(norm))

    metrics = stepped.train_step().metrics

    assert metrics["grad_norm"] == pytest.approx(float(norm), rel=1e-3)
    for name, layer in adapted_layers(stepped.policy.model).items():
        gradient = clipped * projected[name]
        # Adam's first step from B = 0: the averages are the gradient and its square.
        expected = -stepped.learning_rate * gradient / (gradient.abs() + 1e-8)
        found = layer.lora_B["default"].weight.detach().double()
        assert float((found - expected).norm() / expected.norm()) < 0.02, name


def test_weights_that_are_not_numbers_end_the_run_as_diverged(
    base: BaseModel, verifier: Verifier
) -> None:
    one = trainer(base, verifier, "method.name=lora")
    next(iter(one.policy.trainable().values())).data.fill_(torch.nan)
    with pytest.raises(DivergedError, match="'lora' diverged: the gradient's norm is nan"):
        for _ in range(3):
            one.train_step()
