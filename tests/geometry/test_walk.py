"""Policies of any methods pass by abreast, a weight at a time."""

from __future__ import annotations

import pytest
import torch

from installed_methods import METHODS
from verirank.config import MethodConfig, ModelConfig, RunFailedError
from verirank.geometry import walk
from verirank.methods import Policy, RandomData
from verirank.models import BaseModel, load_base


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(ModelConfig())


def policy_of(base: BaseModel, name: str) -> Policy:
    config, data = MethodConfig(name=name), RandomData.of(base)
    return Policy.create(base, config, seed=0, total_steps=10, data=data)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_walked_in_the_order_of_the_model(base: BaseModel, name: str) -> None:
    changeable = {key for key, _ in policy_of(base, name).effective_weights()}
    walked = [key for key, _, _ in walk([policy_of(base, name)])]
    assert walked == [key for key, _ in base.model.named_parameters() if key in changeable]


def test_policies_meet_at_the_weights_that_they_share(base: BaseModel) -> None:
    policies = [policy_of(base, name) for name in ("ia3", "ln-tuning", "full", "lora")]
    met = {key: set(after) for key, _, after in walk(policies)}
    assert list(met) == [key for key, _ in base.model.named_parameters()]
    assert met["model.layers.0.self_attn.q_proj.weight"] == {2, 3}
    assert met["model.layers.0.self_attn.k_proj.weight"] == {0, 2, 3}
    assert met["model.layers.0.input_layernorm.weight"] == {1, 2}
    assert met["model.embed_tokens.weight"] == {2}


def test_the_values_are_the_bases_and_the_policys(base: BaseModel) -> None:
    policy = policy_of(base, "full")
    with torch.no_grad():
        policy.trainable()["model.norm.weight"].add_(1)
    for name, before, after in walk([policy]):
        assert before.equal(base.model.state_dict()[name])
        assert after[0].equal(before + 1 if name == "model.norm.weight" else before)


def test_a_weight_that_is_no_number_stops_the_walk(base: BaseModel) -> None:
    policy = policy_of(base, "full")
    with torch.no_grad():
        policy.trainable()["model.norm.weight"][0] = float("nan")
    with pytest.raises(RunFailedError, match=r"model\.norm\.weight holds values"):
        list(walk([policy]))
