"""PiSSA and MiLoRA keep base, residual and initial adapter apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy_model import TOTAL_STEPS, optimizer_of, take_steps

from verirank.config import InputError, MethodConfig
from verirank.methods import Policy, create_method, load_policy, method_config, save_policy
from verirank.methods._svd_initialised import plain_lora

both = pytest.mark.parametrize("name", ["pissa", "milora"])


def trained(base, name: str) -> Policy:
    policy = Policy.create(base, MethodConfig(name=name), seed=3, total_steps=TOTAL_STEPS)
    take_steps(policy, optimizer_of(policy), range(1, 5))
    return policy


def frozen(policy: Policy) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix("base_model.model.").replace(".base_layer", ""): p.detach()
        for name, p in policy.model.named_parameters()
        if "base_layer.weight" in name
    }


@both
def test_a_plain_lora_of_twice_the_rank_says_the_same(name, toy):
    policy = trained(toy, name)
    base, published = toy.model.state_dict(), dict(policy.effective_weights())
    for module, (a, b) in plain_lora(policy).items():
        assert a.shape[0] == b.shape[1] == 64
        expected = published[f"{module}.weight"]
        torch.testing.assert_close(base[f"{module}.weight"] + b @ a, expected)


def test_a_method_that_leaves_the_base_alone_has_no_such_conversion(toy):
    with pytest.raises(TypeError, match="'lora' does not edit the base"):
        plain_lora(trained(toy, "lora"))


@both
def test_merging_onto_the_untouched_base_would_be_wrong(name, toy):
    """The defect that this design rules out: adding the adapter to W0, not to the residual."""
    policy = trained(toy, name)
    base, published = toy.model.state_dict(), dict(policy.effective_weights())
    errors = []
    for module, (a, b) in plain_lora(policy).items():
        naive = base[f"{module}.weight"] + b[:, :32] @ a[:32]
        expected = published[f"{module}.weight"]
        errors.append(float((naive - expected).norm() / expected.norm()))
    assert min(errors) > 0.01


@both
def test_the_residual_is_the_policys_own_and_the_base_keeps_its_weight(name, toy):
    before = toy.fingerprint()
    policy = trained(toy, name)
    base = toy.model.state_dict()
    for key, residual in frozen(policy).items():
        assert residual.data_ptr() != base[key].data_ptr()
        assert not torch.equal(residual, base[key])
    assert toy.fingerprint() == before


@both
def test_over_a_bf16_base_the_residual_is_rounded_once_from_the_trained_factors(name, toy_bf16):
    policy = Policy.create(toy_bf16, MethodConfig(name=name), seed=3, total_steps=TOTAL_STEPS)
    initial, base = policy.initial_state(), toy_bf16.model.state_dict()
    for key, residual in frozen(policy).items():
        module = key.removesuffix(".weight")
        a, b = initial[f"{module}.lora_A"], initial[f"{module}.lora_B"]
        assert torch.equal(residual, (base[key].float() - policy.method.scale * b @ a).bfloat16())


@both
def test_loading_uses_the_stored_initial_adapter_and_decomposes_nothing(
    name, toy, tmp_path, monkeypatch
):
    policy = trained(toy, name)
    save_policy(policy, tmp_path)

    def decompose(*_: object, **__: object) -> None:
        raise AssertionError("the base was decomposed again")

    monkeypatch.setattr(torch.linalg, "svd", decompose)
    loaded = load_policy(toy, tmp_path)
    assert all(torch.equal(t, frozen(policy)[key]) for key, t in frozen(loaded).items())
    published = dict(loaded.effective_weights())
    assert all(torch.equal(w, published[key]) for key, w in policy.effective_weights())


@both
def test_a_saved_policy_without_its_initial_adapter_is_refused(name, toy, tmp_path):
    save_policy(trained(toy, name), tmp_path)
    (tmp_path / "initial.safetensors").unlink()
    with pytest.raises(InputError, match=r"initial\.safetensors is missing"):
        load_policy(toy, tmp_path)


@both
def test_training_leaves_the_initial_state_as_it_was(name, toy):
    policy = Policy.create(toy, MethodConfig(name=name), seed=3, total_steps=TOTAL_STEPS)
    before = {key: tensor.clone() for key, tensor in policy.initial_state().items()}
    take_steps(policy, optimizer_of(policy), range(1, 5))
    assert all(torch.equal(tensor, before[key]) for key, tensor in policy.initial_state().items())


def test_milora_takes_the_smallest_singular_values_and_pissa_the_largest(toy):
    weight = toy.model.state_dict()["model.layers.0.mlp.up_proj.weight"]
    values = torch.linalg.svdvals(weight)
    for name, expected in (("pissa", values[:32]), ("milora", values[-32:])):
        policy = Policy.create(toy, MethodConfig(name=name), seed=3, total_steps=TOTAL_STEPS)
        initial = policy.initial_state()
        a = initial["model.layers.0.mlp.up_proj.lora_A"]
        b = initial["model.layers.0.mlp.up_proj.lora_B"]
        found = torch.linalg.svdvals(policy.method.scale * b @ a)[:32]
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_georas_mask_keeps_the_smallest_of_the_weight_and_of_its_main_components():
    weight = np.random.default_rng(0).normal(size=(5, 8))
    # Of rank 2, from the eigenvectors of W^T W.
    main = np.linalg.eigh(weight.T @ weight)[1][:, -2:]
    approximation = weight @ main @ main.T
    kept = [set(np.abs(one).ravel().argsort()[:10]) for one in (weight, approximation)]
    assert 10 < len(kept[0] | kept[1]) < 20
    expected = [w if place in kept[0] | kept[1] else 0 for place, w in enumerate(weight.ravel())]
    method = create_method(method_config({"name": "geora", "rank": 2, "kept": 0.25}))
    masked = method.masked(torch.tensor(weight, dtype=torch.float32))
    torch.testing.assert_close(masked.flatten(), torch.tensor(expected, dtype=torch.float32))
