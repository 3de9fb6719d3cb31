"""Closed-form counts, against counts that were taken on models of these shapes."""

from __future__ import annotations

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from verirank.config import MethodConfig
from verirank.methods import create_method, method_config
from verirank.models import SHAPES, shape_of

QWEN2_1_5B = {
    "full": 1_777_088_000,
    "lora": 36_929_536,
    "dora": 37_574_656,
    "adalora": 36_935_808,
    "miss": 20_643_840,
    "lora-plus": 36_929_536,
    "rslora": 36_929_536,
    "lora-fa": 20_643_840,
    "pissa": 36_929_536,
    "milora": 36_929_536,
    "vera": 695_296,
    "ia3": 265_216,
    "ln-tuning": 87_552,
}


@pytest.mark.parametrize(("name", "expected"), QWEN2_1_5B.items())
def test_default_count_on_qwen2_1_5b_is_exact(name, expected):
    assert create_method(MethodConfig(name=name)).count(SHAPES["qwen2-1.5b"]) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"name": "lora", "rank": 16}, 18_464_768),
        ({"name": "lora", "rank": 1}, 1_154_048),
        ({"name": "vera", "rank": 32, "modules": ("q_proj", "v_proj")}, 51_968),
        ({"name": "ia3", "modules": ("q_proj", "v_proj", "down_proj")}, 301_056),
    ],
)
def test_count_follows_the_settings(settings, expected):
    config = method_config(settings)
    assert create_method(config).count(SHAPES["qwen2-1.5b"]) == expected


def test_the_norms_of_qwen3s_heads_are_counted():
    config = Qwen3Config(
        vocab_size=26,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        model = Qwen3ForCausalLM(config)
    shape = shape_of(config)
    norms = [p.numel() for name, p in model.named_parameters() if "norm" in name]
    assert shape.parameters == sum(p.numel() for p in model.parameters())
    assert create_method(MethodConfig(name="ln-tuning")).count(shape) == sum(norms)


def test_lora_on_qwen2_7b_is_exact():
    assert create_method(MethodConfig(name="lora")).count(SHAPES["qwen2-7b"]) == 80_740_352
