"""Settings: presets, overrides, round trips, and one clear line for every mistake."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verirank.config import (
    InputError,
    for_methods,
    learning_rate_of,
    load_plugin,
    override,
    plugin_names,
    preset_names,
    read_settings,
    resolve,
    to_toml,
)


@pytest.mark.parametrize("method", plugin_names("method"))
@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_resolves_for_every_method(preset: str, method: str) -> None:
    shared = for_methods(read_settings(preset), method)
    trial = resolve(override(shared, [f"method.name={method}"]))
    rate = read_settings(preset)["method"].get("learning_rate")
    assert (trial.method.name, trial.method.learning_rate) == (method, rate)


@pytest.mark.parametrize("method", plugin_names("method"))
def test_the_written_toml_resolves_to_the_same_trial(method: str) -> None:
    config = resolve({"method": {"name": method}, "algorithm": {"name": "dapo"}})
    assert resolve(tomllib.loads(to_toml(config))) == config


@given(seed=st.integers(0, 2**62), steps=st.integers(1, 10**6), cap=st.floats(0, 100))
def test_overrides_survive_the_round_trip(seed: int, steps: int, cap: float) -> None:
    settings = override(
        {}, [f"seed={seed}", f"training.steps={steps}", f"algorithm.importance_cap={cap}"]
    )
    config = resolve(tomllib.loads(to_toml(resolve(settings))))
    assert (config.seed, config.training.steps) == (seed, steps)
    assert config.algorithm.importance_cap == cap


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("method.rnk=4", "unknown key 'method.rnk'; did you mean 'method.rank'?"),
        ("training.step=4", "unknown key 'training.step'; did you mean 'training.steps'?"),
        ("trainin.steps=4", "unknown key 'trainin'; did you mean 'training'?"),
        ("method.name=loraa", "unknown method 'loraa'; did you mean 'lora'?"),
        ("algorithm.name=grpoo", "unknown algorithm 'grpoo'; did you mean 'grpo'?"),
        ("task.name=arithmetics", "unknown task 'arithmetics'; did you mean 'arithmetic'?"),
        ("method.rank=0", "method.rank = 0: input should be greater than or equal to 1"),
        ("model.dtype=float16", "model.dtype = 'float16'"),
        ("seed", "--set takes key=value, not 'seed'"),
    ],
)
def test_a_mistake_gets_one_line_that_names_the_key(assignment: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve(override({}, [assignment]))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_method_without_a_rank_refuses_one() -> None:
    with pytest.raises(InputError, match=r"unknown key 'method\.rank'"):
        resolve({"method": {"name": "ln-tuning", "rank": 8}})


def test_a_missing_file_names_the_presets() -> None:
    with pytest.raises(InputError, match="did you mean 'quickstart'"):
        read_settings("quickstrat")


def test_every_method_has_a_default_learning_rate_that_can_be_overridden() -> None:
    rates = {name: load_plugin("method", name).default_rates for name in plugin_names("method")}
    assert all(rate.how_found for rate in rates.values())
    config = resolve({"method": {"name": "dora"}}).method
    assert learning_rate_of(config, "micro") == rates["dora"].micro
    assert learning_rate_of(config, "a/folder") == rates["dora"].other
    given = resolve({"method": {"name": "dora", "learning_rate": 0.5}}).method
    assert learning_rate_of(given, "micro") == 0.5


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("lr", "method.learning_rate"),
        ("r", "method.rank"),
        ("lora_alpha", "method.alpha"),
        ("template", "task.template"),
        ("answer_format", "task.answer_format"),
        ("kl_coef", "algorithm.kl_coefficient"),
        ("beta", "algorithm.kl_coefficient"),
        ("num_generations", "sampling.group_size"),
        ("algorithm.beta", "algorithm.kl_coefficient"),
        ("training.lr", "method.learning_rate"),
        ("epochs", "training.steps"),
        ("load_in_4bit", "model.quantization"),
    ],
)
def test_a_name_of_another_library_gets_the_key_that_has_its_meaning(written, meant):
    with pytest.raises(InputError, match=f"did you mean '{meant}'"):
        resolve(override({}, [f"{written}=1"]))


@pytest.mark.parametrize(
    ("assignment", "answer"),
    [
        ("model=smollm2", r"model is a section with settings of its own; write model\.name"),
        ("training=20", r"training is a section"),
        ("task.template=plain", "task has no setting but its name"),
    ],
)
def test_a_value_for_a_section_and_a_key_where_there_is_none_are_answered(assignment, answer):
    with pytest.raises(InputError, match=answer):
        resolve(override({}, [assignment]))


@pytest.mark.parametrize("key", ["adam", "optim", "training.optimiser"])
def test_an_optimiser_is_answered_with_the_key_that_names_one(key):
    with pytest.raises(InputError, match=r"did you mean 'training\.optimizer'|'optimizer'"):
        resolve(override({}, [f"{key}='sgd'"]))


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("LoRA", "did you mean 'lora'"),
        ("lora_fa", "did you mean 'lora-fa'"),
        ("qlora", r"it is 'lora' with model\.quantization"),
    ],
)
def test_a_methods_name_is_found_whatever_its_case_and_hyphens(written, hint):
    with pytest.raises(InputError, match=hint):
        resolve({"method": {"name": written}})


@pytest.mark.parametrize(
    ("settings", "example"),
    [
        ({"evaluation": {"benches": "test"}}, r'such as \["test"\]'),
        ({"training": {"betas": 1}}, r"such as \[1\]"),
    ],
)
def test_a_value_where_a_list_belongs_is_answered_with_an_example(settings, example):
    with pytest.raises(InputError, match=example):
        resolve(settings)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "key",
    [
        *("method.learning_rate", "method.alpha", "training.max_grad_norm"),
        *("training.weight_decay", "sampling.temperature", "algorithm.clip_high"),
        "evaluation.temperature",
    ],
)
def test_a_setting_that_is_not_finite_is_refused(key, number):
    with pytest.raises(InputError, match="finite"):
        resolve(override({}, [f"{key}={number}"]))
