"""AdaLoRA's ranks move, its penalty reaches the gradients, and both survive a restart."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_model import VOCABULARY, backward, optimizer_of, take_steps

from verirank.config import MethodConfig
from verirank.methods import Policy, load_policy, method_config, save_policy
from verirank.methods.adalora import _Schedule

STEPS = 12


def adalora(base, **values) -> Policy:
    config = method_config({"name": "adalora", **values})
    return Policy.create(base, config, seed=3, total_steps=STEPS)


def ranks(policy: Policy) -> list[int]:
    return [int((p != 0).sum()) for n, p in policy.trainable().items() if "lora_E" in n]


def test_ranks_shrink_to_the_target_and_differ_between_layers(toy):
    policy = adalora(toy, rank=8, target_rank=3)
    take_steps(policy, optimizer_of(policy), range(1, STEPS + 1))
    assert sum(ranks(policy)) == 3 * len(ranks(policy))
    assert len(set(ranks(policy))) > 1


def test_the_parameters_that_remain_are_those_of_the_singular_values_that_are_left(toy):
    policy = adalora(toy, rank=8, target_rank=3)
    take_steps(policy, optimizer_of(policy), range(1, STEPS + 1))
    factors = {n: p for n, p in policy.trainable().items() if "lora_A" in n or "lora_B" in n}
    sizes = [max(p.shape) for p in factors.values()]
    assert policy.trainable_parameters == 8 * (sum(sizes) + len(sizes) // 2)
    left = policy.method.remaining_parameters(policy)
    assert left < policy.trainable_parameters / 2
    assert left >= 3 * len(ranks(policy)) * 2 * min(sizes)


def test_ranks_stay_put_when_nobody_allocates(toy):
    policy = adalora(toy, rank=8)
    optimizer = optimizer_of(policy)
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        backward(policy, step)
        optimizer.step()
    assert set(ranks(policy)) == {8}


@given(total=st.integers(3, 3000), initial=st.integers(2, 500), data=st.data())
@settings(max_examples=200, deadline=None)
def test_the_budget_falls_from_the_initial_to_the_target_rank(total, initial, data):
    target = data.draw(st.integers(1, initial - 1))
    schedule = _Schedule.of(total)
    budgets = [schedule.budget(step, total, initial, target) for step in range(1, total + 1)]
    assert schedule.warm_up < total - schedule.final
    assert budgets[schedule.warm_up - 1] == initial
    assert budgets[-1] == target
    assert budgets == sorted(budgets, reverse=True)


@pytest.mark.parametrize("total", [3, 4, 10, 60, 1024])
def test_peft_schedules_the_same_budget(toy, total):
    policy = Policy.create(toy, MethodConfig(name="adalora"), seed=0, total_steps=total)
    allocator, schedule = policy.model.base_model.rankallocator, _Schedule.of(total)
    layers = len(ranks(policy))
    for step in range(1, total + 1):
        if step == total - schedule.final:
            continue  # here peft asks for the mask, and not for the budget that it rests on
        budget, _ = allocator.budget_schedule(step)
        assert budget == schedule.budget(step, total, 32 * layers, 16 * layers)


def test_the_penalty_is_the_one_that_peft_adds_to_a_models_loss(toy):
    policy = adalora(toy)
    tokens = torch.arange(VOCABULARY).unsqueeze(0)
    with_penalty = policy.model(input_ids=tokens, labels=tokens).loss
    policy.model.peft_config["default"].orth_reg_weight = 1e-30
    without = policy.model(input_ids=tokens, labels=tokens).loss
    torch.testing.assert_close(policy.method.penalty(policy), with_penalty - without)


def test_the_penalty_moves_every_a_and_b_of_an_untrained_adapter(toy):
    policy = adalora(toy)
    policy.method.penalty(policy).backward()
    gradients = {n: p.grad for n, p in policy.trainable().items() if "lora_E" not in n}
    assert all(g is not None and bool(g.abs().max() > 0) for g in gradients.values())


def test_a_restart_in_the_last_phase_keeps_the_allocated_ranks(toy, tmp_path):
    policy = adalora(toy, rank=8, target_rank=3)
    take_steps(policy, optimizer_of(policy), range(1, 11))
    save_policy(policy, tmp_path)
    loaded = load_policy(toy, tmp_path)
    take_steps(loaded, optimizer_of(loaded), range(11, STEPS + 1))
    assert ranks(loaded) == ranks(policy)
