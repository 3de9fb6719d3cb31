"""Where peft has an optimiser or a trap of its own, ours is compared with it."""

from __future__ import annotations

import pytest
import torch
from peft.optimizers import create_lorafa_optimizer, create_loraplus_optimizer
from toy_model import TOTAL_STEPS, backward, optimizer_of

from verirank.config import MethodConfig, TrainingConfig
from verirank.methods import Policy, adapted_layers


def policy_of(base, name: str) -> Policy:
    return Policy.create(base, MethodConfig(name=name), seed=3, total_steps=TOTAL_STEPS)


def test_lora_plus_has_pefts_parameter_groups(toy):
    policy = policy_of(toy, "lora-plus")
    ours = policy.optimizer(TrainingConfig(), 1e-4)
    theirs = create_loraplus_optimizer(
        policy.model, torch.optim.AdamW, lr=1e-4, loraplus_lr_ratio=16.0
    )
    rates = [
        {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
        for optimizer in (ours, theirs)
    ]
    assert rates[0] == pytest.approx(rates[1])


def test_lora_fa_steps_like_pefts_optimiser_up_to_its_bf16_projection(toy):
    ours, theirs = policy_of(toy, "lora-fa"), policy_of(toy, "lora-fa")
    optimizer = ours.optimizer(TrainingConfig(betas=(0.9, 0.999)), 1e-3)
    peers = create_lorafa_optimizer(theirs.model, r=32, lora_alpha=64, lr=1e-3)
    for step in range(1, 4):
        for policy, stepper in ((ours, optimizer), (theirs, peers)):
            stepper.zero_grad()
            backward(policy, step)
            if policy is ours:
                policy.method.project_gradients(policy)
            stepper.step()
    expected = theirs.state()
    for name in ours.trainable():
        tensor = ours.state()[name]
        cosine = torch.cosine_similarity(tensor.flatten(), expected[name].flatten(), dim=0)
        # Adam turns a gradient near zero, whose bf16 sign is chance, into a full step.
        assert float(cosine) > 0.98, name


def test_lora_fa_projects_in_fp32(toy):
    policy = policy_of(toy, "lora-fa")
    backward(policy, 1)
    layer = next(iter(adapted_layers(policy.model).values()))
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    gradient = b.grad.double()
    policy.method.project_gradients(policy)
    inverse = torch.linalg.inv((a @ a.T).double())
    torch.testing.assert_close(b.grad.double(), gradient @ inverse / 4, rtol=1e-4, atol=1e-7)


def test_pefts_miss_merge_writes_into_the_weight_that_it_is_handed(toy):
    """The trap that publishing steps round: should peft mend it, the copy can go."""
    policy = policy_of(toy, "miss")
    layer = adapted_layers(policy.model)["model.layers.0.mlp.down_proj"]
    layer.miss_block["default"].data += 1.0
    handed = layer.base_layer.weight.data.clone()
    before = handed.clone()
    layer.get_delta_weight_miss("default", handed)
    assert not torch.equal(handed, before)


def test_publishing_miss_leaves_a_base_whose_inputs_the_rank_does_not_divide(toy):
    policy, before = policy_of(toy, "miss"), toy.fingerprint()
    for layer in adapted_layers(policy.model).values():
        layer.miss_block["default"].data += 1.0
    assert toy.model.config.intermediate_size % policy.config.rank != 0
    dict(policy.effective_weights())
    assert toy.fingerprint() == before


def test_ia3_publishes_the_rescaled_biases_of_keys_and_values(toy):
    names = {name for name, _ in policy_of(toy, "ia3").effective_weights()}
    assert "model.layers.0.self_attn.k_proj.bias" in names
    assert "model.layers.1.self_attn.v_proj.bias" in names
    assert "model.layers.0.mlp.down_proj.weight" in names


def test_small_vectors_move_over_a_bf16_base_at_a_small_rate(toy_bf16):
    """A bf16 parameter near 1 would not: its step would be less than half a ULP."""
    for name in ("ia3", "ln-tuning"):
        policy = policy_of(toy_bf16, name)
        before = {key: tensor.clone() for key, tensor in policy.state().items()}
        optimizer = optimizer_of(policy, rate=1e-5)
        backward(policy, 1)
        optimizer.step()
        assert not [k for k, tensor in policy.state().items() if torch.equal(tensor, before[k])]
