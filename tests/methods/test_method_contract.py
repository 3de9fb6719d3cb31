"""What every method must do, on one small model."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path

import pytest
import torch
from toy_model import TOTAL_STEPS, optimizer_of, take_steps

from installed_methods import METHODS, OTHERS
from verirank.config import CONTENDERS, InputError, MethodConfig, ModelConfig
from verirank.methods import (
    Policy,
    RandomData,
    check_methods,
    create_method,
    load_policy,
    plain_model,
    save_policy,
)
from verirank.models import BaseModel

SVD_INITIALISED = ("pissa", "milora")
ROUNDED_AT_START = ("frod", "hra")
"""Methods whose initial product is the identity, or the weight, up to fp32 rounding."""
every_method = pytest.mark.parametrize("name", METHODS)


def policy_of(base: BaseModel, name: str, seed: int = 3) -> Policy:
    config, data = MethodConfig(name=name), RandomData.of(base)
    return Policy.create(base, config, seed=seed, total_steps=TOTAL_STEPS, data=data)


def trained(base: BaseModel, name: str, steps: int = 4) -> Policy:
    policy = policy_of(base, name)
    take_steps(policy, optimizer_of(policy), range(1, steps + 1))
    return policy


def bits(policy: Policy) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in policy.effective_weights()}


def assert_same_bits(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    assert [n for n in first if not torch.equal(first[n], second[n])] == []


def test_the_thirteen_methods_of_the_design_are_installed():
    assert set(CONTENDERS) == {
        *("full", "lora", "dora", "adalora", "miss", "pissa", "milora", "lora-plus"),
        *("rslora", "lora-fa", "vera", "ia3", "ln-tuning"),
    }


@pytest.fixture(scope="module")
def report_of(toy_folder: Path):
    """The report on a method, checked together with the contenders or with the others."""

    @cache
    def reports(names: tuple[str, ...]):
        configs = [MethodConfig(name=name) for name in names]
        found = check_methods(configs, ModelConfig(name=str(toy_folder), dtype="bfloat16"))
        return {report.method: report for report in found}

    return lambda name: reports(CONTENDERS if name in CONTENDERS else OTHERS)[name]


@every_method
def test_passes_all_ten_conformance_checks(name, report_of):
    report = report_of(name)
    assert len(report.checks) == 10
    assert [(check.name, check.detail) for check in report.checks if not check.passed] == []
    assert report.passed


@every_method
def test_resumes_from_its_saved_state_to_the_same_bits(name, toy, tmp_path):
    straight = policy_of(toy, name)
    optimizer = optimizer_of(straight)
    take_steps(straight, optimizer, range(1, 6))
    save_policy(straight, tmp_path)
    optimizer_state = copy.deepcopy(optimizer.state_dict())
    take_steps(straight, optimizer, range(6, TOTAL_STEPS + 1))

    resumed = load_policy(toy, tmp_path)
    resumed_optimizer = optimizer_of(resumed)
    resumed_optimizer.load_state_dict(optimizer_state)
    take_steps(resumed, resumed_optimizer, range(6, TOTAL_STEPS + 1))

    assert_same_bits(bits(straight), bits(resumed))


@every_method
def test_creating_a_policy_leaves_the_global_generator_as_it_was(name, toy):
    before = torch.get_rng_state()
    policy_of(toy, name)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", ["lora", "dora", "adalora", "lora-fa", "vera"])
def test_the_seed_alone_decides_the_initialisation(name, toy):
    first, again, other = (policy_of(toy, name, seed).state() for seed in (1, 1, 2))
    assert_same_bits(first, again)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@every_method
def test_published_weights_share_no_storage_with_base_or_policy(name, toy):
    policy = trained(toy, name)
    owned = {p.data_ptr() for p in toy.model.parameters()}
    owned |= {p.data_ptr() for p in policy.model.parameters()}
    published = dict(policy.effective_weights())
    assert not owned & {weight.data_ptr() for weight in published.values()}
    assert {weight.dtype for weight in published.values()} == {torch.float32}


@every_method
def test_ten_publishes_leave_the_base_as_it_was(name, toy):
    before = toy.fingerprint()
    policy = trained(toy, name)
    for _ in range(10):
        plain_model(policy, torch.bfloat16)
    assert toy.fingerprint() == before


@pytest.mark.parametrize("name", [m for m in METHODS if m != "full"])
def test_published_weights_agree_with_pefts_own_merge(name, toy):
    policy = trained(toy, name)
    merged = copy.deepcopy(policy.model).merge_and_unload().state_dict()
    for key, weight in policy.effective_weights():
        torch.testing.assert_close(weight, merged[key], rtol=1e-5, atol=1e-6)


@every_method
def test_suspended_publishing_leaves_gradients_on(name, toy):
    next(iter(policy_of(toy, name).effective_weights()))
    assert torch.is_grad_enabled()


@every_method
def test_over_a_bf16_base_it_starts_at_the_base_with_fp32_trainables(name, toy_bf16):
    policy, base = policy_of(toy_bf16, name), toy_bf16.model.state_dict()
    assert {p.dtype for p in policy.trainable().values()} == {torch.float32}
    counted = sum(p.numel() for p in policy.trainable().values())
    assert counted == policy.method.count(toy_bf16.shape)
    for key, weight in policy.effective_weights():
        if name in ROUNDED_AT_START:
            torch.testing.assert_close(weight, base[key].float(), rtol=0, atol=1e-6)
        else:
            assert torch.equal(weight, base[key].float()), key


@every_method
def test_over_a_bf16_base_training_moves_it_and_publishes_what_it_computes(name, toy_bf16):
    before = toy_bf16.fingerprint()
    policy = trained(toy_bf16, name)
    tokens = torch.arange(24).reshape(2, 12)
    with torch.no_grad(), policy.autocast():
        adapted = policy.model(input_ids=tokens).logits.float()
    with torch.no_grad():
        published = plain_model(policy, torch.float32)(input_ids=tokens).logits
    assert float((adapted - published).norm() / published.norm()) < 0.03
    assert toy_bf16.fingerprint() == before


@every_method
def test_over_a_bf16_base_it_loads_to_the_same_bits(name, toy_bf16, tmp_path):
    policy = trained(toy_bf16, name)
    save_policy(policy, tmp_path)
    loaded = load_policy(toy_bf16, tmp_path)
    assert_same_bits(bits(policy), bits(loaded))
    frozen, again = policy.model.state_dict(), loaded.model.state_dict()
    assert_same_bits(frozen, again)


@every_method
def test_has_no_dropout_and_stays_in_evaluation_mode(name, toy):
    model = policy_of(toy, name).model
    assert not any(module.training for module in model.modules())
    assert not any(isinstance(m, torch.nn.Dropout) and m.p > 0 for m in model.modules())


@every_method
def test_its_optimiser_is_adamw_over_every_trainable_tensor_once(name, toy):
    policy = policy_of(toy, name)
    optimizer = optimizer_of(policy)
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert type(optimizer) is torch.optim.AdamW
    assert sorted(held) == sorted(id(p) for p in policy.trainable().values())


def test_a_saved_policy_that_lacks_a_file_is_refused(toy, tmp_path):
    save_policy(policy_of(toy, "lora"), tmp_path)
    (tmp_path / "state.safetensors").unlink()
    with pytest.raises(InputError, match=r"state\.safetensors is missing"):
        load_policy(toy, tmp_path)


def test_an_unknown_method_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match=r"unknown method 'dorra'; did you mean 'dora'\?"):
        create_method(MethodConfig(name="dorra"))
