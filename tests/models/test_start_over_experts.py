"""An adapter over stacked experts (peft's `target_parameters`) is merged, and trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import MORE, TINY
from peft import PeftModel
from transformers import AutoConfig, AutoModelForCausalLM

from verirank.config import ModelConfig, resolve
from verirank.export import write_policy
from verirank.methods import Policy, expect_fits
from verirank.models import load_base

TOKENS = torch.tensor([[3, 5, 7, 9, 4]])
EXPERTS = ["mixtral", "qwen2-moe", "gpt-oss", "llama4"]
"""Stacks as [expert, out, in], with shared experts, and both kinds of [expert, in, out]."""


def folder_of(name: str, folder: Path) -> str:
    """Save a tiny model with random weights, and micro's tokenizer."""
    kind, sizes = (TINY | MORE)[name]
    torch.manual_seed(0)
    model: Any = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **sizes))
    model.save_pretrained(folder)
    load_base(ModelConfig()).tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("name", EXPERTS)
def test_what_was_exported_over_experts_is_taken_by_both_settings(
    name: str, tmp_path: Path
) -> None:
    model = {"name": folder_of(name, tmp_path / "model")}
    config = resolve({"model": model, "method": {"name": "lora", "rank": 4}})
    policy = Policy.create(load_base(config.model), config.method, seed=0, total_steps=1)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in policy.trainable().values():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    write_policy(policy, "adapter", tmp_path / "sft")
    assert json.loads((tmp_path / "sft/adapter_config.json").read_text())["target_parameters"]
    start = {"name": "lora", "rank": 4, "start": str(tmp_path / "sft")}
    started = resolve({"model": model, "method": start})
    expect_fits(started.method, started.model, 1)
    again = Policy.create(load_base(started.model), started.method, seed=1, total_steps=1)
    plain = AutoModelForCausalLM.from_pretrained(model["name"])
    with torch.no_grad():
        expected = policy.model(TOKENS).logits
        loaded = PeftModel.from_pretrained(plain, str(tmp_path / "sft")).eval()(TOKENS).logits
        for found in (loaded, again.base.model(TOKENS).logits, again.model(TOKENS).logits):
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
