"""Settings: presets, overrides, round trips, and one clear line for every mistake."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verirank.config import (
    InputError,
    learning_rate_of,
    learning_rates,
    override,
    plugin_names,
    preset_names,
    read_settings,
    resolve,
    to_toml,
)


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_resolves(preset: str) -> None:
    settings = read_settings(preset)
    settings.get("method", {}).setdefault("name", "lora")
    assert resolve(settings).training.steps > 0


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
        ("algorithm.name=gppo", "unknown algorithm 'gppo'; did you mean 'grpo'?"),
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
    assert set(plugin_names("method")) == set(learning_rates())
    config = resolve({"method": {"name": "dora"}}).method
    assert learning_rate_of(config, "micro") == learning_rates()["dora"]["micro"]
    assert learning_rate_of(config, "a/folder") == learning_rates()["dora"]["other"]
    given = resolve({"method": {"name": "dora", "learning_rate": 0.5}}).method
    assert learning_rate_of(given, "micro") == 0.5
