"""LoRA-GA, CorDA and EVA, beside what peft makes of the same data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraGAConfig, initialize_lora_eva_weights
from peft.tuners.lora.config import CordaConfig, EvaConfig
from peft.tuners.lora.corda import preprocess_corda
from peft.tuners.lora.loraga import preprocess_loraga
from torch import Tensor, nn
from toy_model import save_mixture

from verirank.config import InputError
from verirank.methods import Policy, RandomData, method_config
from verirank.models import BaseModel, load_base

MODULES = ("q_proj", "up_proj")
NAMES = ("model.layers.0.self_attn.q_proj", "model.layers.1.mlp.up_proj")
RANK = 8


def start(base: BaseModel, name: str, **settings) -> dict[str, Tensor]:
    config = method_config({"name": name, "rank": RANK, "modules": MODULES} | settings)
    data = RandomData.of(base)
    return Policy.create(base, config, seed=0, total_steps=1, data=data).initial_state()


def of_peft(model: nn.Module, **settings) -> LoraConfig:
    return LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=list(MODULES), **settings)


def through(base: BaseModel, model: nn.Module) -> None:
    for loss in RandomData.of(base).losses(model):
        if loss.requires_grad:
            loss.backward()


def factors(model: nn.Module) -> Iterator[tuple[str, Tensor, Tensor]]:
    for name in NAMES:
        layer = model.get_submodule(f"base_model.model.{name}")
        yield name, layer.lora_A["default"].weight.detach(), layer.lora_B["default"].weight.detach()


@pytest.mark.filterwarnings("ignore:Full backward hook")
def test_lora_ga_has_the_directions_of_pefts_own_and_the_papers_size(toy: BaseModel) -> None:
    model = toy.sharing_copy()
    config = of_peft(model, init_lora_weights="lora_ga", lora_ga_config=LoraGAConfig())
    preprocess_loraga(model, config, lambda: through(toy, model))
    state = start(toy, "lora-ga")
    for name, a, b in factors(get_peft_model(model, config)):
        ours_a, ours_b = state[f"{name}.lora_A"], state[f"{name}.lora_B"]
        size = ours_b.shape[0] ** 0.25 / 4
        torch.testing.assert_close(ours_a.norm(dim=1), torch.full((RANK,), size))
        torch.testing.assert_close(ours_b.norm(dim=0), torch.full((RANK,), size))
        for ours, theirs in ((ours_a, a), (ours_b.T, b.T)):
            cosines = nn.functional.cosine_similarity(ours, theirs, dim=1).abs()
            assert cosines.min() > 0.99


@pytest.mark.parametrize(("components", "mode"), [("main", "ipm"), ("minor", "kpm")])
def test_corda_starts_as_pefts_own(components: str, mode: str, toy: BaseModel) -> None:
    model = toy.sharing_copy()
    config = of_peft(model, init_lora_weights="corda", corda_config=CordaConfig(corda_method=mode))
    preprocess_corda(model, config, lambda: through(toy, model))
    state = start(toy, "corda", components=components)
    for name, a, b in factors(get_peft_model(model, config)):
        ours = state[f"{name}.lora_B"] @ state[f"{name}.lora_A"]
        # In fp32 either is about 1.5e-4 off what fp64 gives.
        assert (ours - b @ a).norm() < 1e-3 * (b @ a).norm()


def test_corda_weighs_an_expert_by_tokens_that_come_to_it_one_by_one(tmp_path: Path) -> None:
    base = load_base(save_mixture(tmp_path, chooses=True))
    config = method_config({"name": "corda", "rank": RANK})
    data = RandomData(RandomData.of(base).tokens_NT[:, :3])
    policy = Policy.create(base, config, seed=0, total_steps=1, data=data)
    assert min(policy.initial).startswith("model.layers.0.mlp.experts.0.")
    assert policy.method.start_off(policy) < 1e-3  # pyright: ignore


@pytest.mark.parametrize(("components", "plain"), [("main", "pissa"), ("minor", "milora")])
def test_conformance_tells_corda_from_the_plain_components(
    components: str, plain: str, toy: BaseModel
) -> None:
    config = method_config({"name": "corda", "rank": RANK, "components": components})
    unweighed = method_config({"name": plain, "rank": RANK})
    initial = Policy.create(toy, unweighed, seed=0, total_steps=1).initial_state()
    given, passed = {"seed": 0, "total_steps": 1, "data": RandomData.of(toy)}, []
    for start in (None, initial):
        policy = Policy.create(toy, config, **given, initial=start)
        passed.append(policy.method.behaviour(policy, lambda: 0)[0])
    assert passed == [True, False]


def test_evas_directions_are_those_of_pefts_own(toy: BaseModel) -> None:
    model = toy.sharing_copy()
    config = of_peft(model, init_lora_weights="eva", eva_config=EvaConfig(rho=1.0))
    batch = {"input_ids": RandomData.of(toy).tokens_NT}
    batch["attention_mask"] = torch.ones_like(batch["input_ids"])
    adapted = get_peft_model(model, config, low_cpu_mem_usage=True)
    initialize_lora_eva_weights(adapted, [batch], show_progress_bar=False)
    state = start(toy, "eva")
    for name, a, b in factors(adapted):
        cosines = torch.linalg.svdvals(state[f"{name}.lora_A"] @ a.T)
        assert cosines.min() > 0.95
        assert not b.any()


def test_layers_of_one_input_start_with_one_a(toy: BaseModel) -> None:
    state = start(toy, "eva", modules=("q_proj", "k_proj", "o_proj"))
    q, k, o = (state[f"model.layers.0.self_attn.{n}_proj.lora_A"] for n in "qko")
    assert torch.equal(q, k)
    assert not torch.equal(q, o)


@pytest.mark.parametrize("name", ["lora-ga", "corda", "eva"])
def test_without_data_it_is_refused(name: str, toy: BaseModel) -> None:
    with pytest.raises(InputError, match="starts from a pass over training completions"):
        Policy.create(toy, method_config({"name": name}), seed=0, total_steps=1)


def test_lora_ga_needs_twice_as_many_singular_values_as_its_rank(toy: BaseModel) -> None:
    with pytest.raises(InputError, match="twice the rank, 66, exceeds the 64 singular values"):
        start(toy, "lora-ga", rank=33, modules=("k_proj",))


def test_data_without_a_signal_leave_lora_ga_no_gradient(toy: BaseModel) -> None:
    class Silent(RandomData):
        def losses(self, model: nn.Module) -> Iterator[Tensor]:
            losses = super().losses(model)
            return (0 * loss for loss in losses)

    config = method_config({"name": "lora-ga", "rank": RANK})
    data = Silent(RandomData.of(toy).tokens_NT)
    with pytest.raises(InputError, match=r"raise method\.problems"):
        Policy.create(toy, config, seed=0, total_steps=1, data=data)


def test_data_of_fewer_tokens_than_the_rank_are_too_few_for_eva(toy: BaseModel) -> None:
    config = method_config({"name": "eva", "rank": RANK})
    data = RandomData(RandomData.of(toy).tokens_NT[:1, :6])  # the last one predicts none
    with pytest.raises(InputError, match="have 5 tokens, fewer than the rank 8"):
        Policy.create(toy, config, seed=0, total_steps=1, data=data)
