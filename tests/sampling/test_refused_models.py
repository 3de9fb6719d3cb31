"""Models that do what trainer and sampler leave out are refused when they are loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer, GraniteConfig, MistralConfig

from verirank.config import InputError, ModelConfig
from verirank.models import load_base

SIZES = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 2}


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (GraniteConfig(logits_scaling=8.0, **SIZES, **HEADS), "scales or soft-caps the logits"),
        (MistralConfig(sliding_window=8, **SIZES, **HEADS), "other than full causal attention"),
    ],
    ids=["scaled-logits", "sliding-window"],
)
def test_a_model_with_more_than_is_computed_is_one_line(
    tmp_path: Path, config: Any, reason: str
) -> None:
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(load_base(ModelConfig()).source).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=reason):
        load_base(ModelConfig(name=str(tmp_path)))
