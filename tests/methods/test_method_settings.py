"""What a method's settings accept, and what they refuse in one clear line."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from toy_model import TOTAL_STEPS

from verirank.config import InputError
from verirank.methods import Policy, create_method, method_config
from verirank.models import LINEARS


@pytest.mark.parametrize("name", ["full", "ia3", "ln-tuning"])
def test_a_method_without_a_rank_knows_no_such_key(name):
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        method_config({"name": name, "rank": 8})


@pytest.mark.parametrize("name", ["miss", "vera"])
def test_a_method_without_a_scale_knows_no_alpha(name):
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        method_config({"name": name, "alpha": 8})


@pytest.mark.parametrize("name", ["lora", "dora", "adalora", "miss", "pissa", "vera"])
def test_a_rank_of_zero_is_refused(name):
    with pytest.raises(ValidationError, match="greater than or equal to"):
        method_config({"name": name, "rank": 0})


def test_an_unknown_module_is_refused_with_the_nearest_name():
    with pytest.raises(ValidationError, match=r"'q_prj'; did you mean 'q_proj'\?"):
        method_config({"name": "lora", "modules": ("q_prj",)})


def test_modules_are_a_set_in_the_models_order():
    config = method_config({"name": "lora", "modules": ("v_proj", "q_proj", "v_proj")})
    assert config.modules == ("q_proj", "v_proj")


@pytest.mark.parametrize("name", ["lora", "dora", "adalora", "miss", "pissa", "milora", "vera"])
def test_all_seven_linears_are_the_default(name):
    assert method_config({"name": name}).modules == LINEARS


def test_alpha_is_twice_the_rank_unless_set():
    assert create_method(method_config({"name": "lora", "rank": 8})).scale == 2.0
    assert create_method(method_config({"name": "lora", "rank": 8, "alpha": 8})).scale == 1.0


def test_pissas_alpha_is_its_rank_unless_set():
    scales = [create_method(method_config({"name": "pissa", "rank": r})).scale for r in (4, 32)]
    assert scales == [1.0, 1.0]
    assert create_method(method_config({"name": "pissa", "rank": 8, "alpha": 16})).scale == 2.0


def test_rslora_divides_one_alpha_by_the_root_of_the_rank():
    scales = [
        create_method(method_config({"name": "rslora", "rank": r})).scale for r in (4, 16, 64)
    ]
    assert scales == [8.0, 4.0, 2.0]
    given = {"name": "rslora", "rank": 16, "alpha": 32.0}
    assert create_method(method_config(given)).scale == 8.0


def test_adalora_needs_ranks_to_give_away():
    with pytest.raises(ValidationError, match="target_rank 8 must be below rank 8"):
        method_config({"name": "adalora", "rank": 8, "target_rank": 8})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "pissa", "rank": 65}, "rank 65 exceeds the 64 singular values"),
        ({"name": "milora", "rank": 65}, "rank 65 exceeds the 64 singular values"),
        ({"name": "miss", "rank": 129}, "rank 129 exceeds 128 inputs"),
        ({"name": "lora", "rank": 129}, "method.rank = 129 is above 128, the highest rank"),
        ({"name": "adalora", "rank": 129}, "method.rank = 129 is above 128, the highest rank"),
    ],
)
def test_a_rank_that_the_model_cannot_hold_is_refused(settings, message, toy):
    with pytest.raises(InputError, match=message):
        Policy.create(toy, method_config(settings), seed=0, total_steps=TOTAL_STEPS)


def test_adalora_refuses_a_trial_without_a_budget_phase(toy):
    with pytest.raises(InputError, match="at least 3 steps, not 2"):
        Policy.create(toy, method_config({"name": "adalora"}), seed=0, total_steps=2)


def test_settings_survive_json():
    config = method_config({"name": "adalora", "rank": 8, "target_rank": 2, "modules": ("q_proj",)})
    assert method_config(config.model_dump(mode="json")) == config
