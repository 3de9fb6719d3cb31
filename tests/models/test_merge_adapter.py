"""A base with an adapter of supervised fine-tuning merged into it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from command_line import verirank
from verirank.config import InputError, ModelConfig, resolve
from verirank.export import write_policy
from verirank.methods import Policy
from verirank.models import load_base


def plain() -> Any:
    return AutoModelForCausalLM.from_pretrained(load_base(ModelConfig()).source)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    settings = LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    get_peft_model(plain(), settings).save_pretrained(tmp_path / "sft")
    return tmp_path / "sft"


def test_the_base_computes_what_peft_does_and_leaves_the_model_alone(folder: Path) -> None:
    base = load_base(ModelConfig(adapter=str(folder)))
    tokens = torch.tensor([[3, 5, 7, 9]])
    with torch.no_grad():
        expected = PeftModel.from_pretrained(plain(), str(folder)).eval()(tokens).logits
        torch.testing.assert_close(base.model(tokens).logits, expected, atol=1e-4, rtol=1e-4)
    without = load_base(ModelConfig())
    assert base.fingerprint() != without.fingerprint()
    assert base.name == f"micro with {folder}"
    assert base.model.state_dict().keys() == without.model.state_dict().keys()
    assert not any(parameter.requires_grad for parameter in base.model.parameters())


def test_it_is_merged_in_fp32_and_cast_once(folder: Path) -> None:
    exact = load_base(ModelConfig(adapter=str(folder))).model.state_dict()
    cast = load_base(ModelConfig(adapter=str(folder), dtype="bfloat16")).model.state_dict()
    assert all(torch.equal(cast[key], exact[key].to(torch.bfloat16)) for key in exact)


def test_a_policy_on_it_is_exported_whole_alone(folder: Path, tmp_path: Path) -> None:
    base = load_base(ModelConfig(adapter=str(folder)))
    policy = Policy.create(base, resolve({}).method, seed=0, total_steps=1)
    write_policy(policy, "merged", tmp_path / "merged")
    assert load_base(ModelConfig(name=str(tmp_path / "merged"))).fingerprint()
    with pytest.raises(InputError, match=r"merged into it, .* export it as merged"):
        write_policy(policy, "adapter", tmp_path / "adapter")


def lacking(folder: Path) -> None:
    tensors = load_file(folder / "adapter_model.safetensors")
    tensors.popitem()
    save_file(tensors, folder / "adapter_model.safetensors")


def infinite(folder: Path) -> None:
    tensors = load_file(folder / "adapter_model.safetensors")
    next(iter(tensors.values()))[0] = float("inf")
    save_file(tensors, folder / "adapter_model.safetensors")


def of_other_sizes(folder: Path) -> None:
    tensors = load_file(folder / "adapter_model.safetensors")
    save_file({k: t.repeat(2, 2) for k, t in tensors.items()}, folder / "adapter_model.safetensors")


def of_other_modules(folder: Path) -> None:
    settings = json.loads((folder / "adapter_config.json").read_text())
    settings["target_modules"] = ["c_attn"]
    (folder / "adapter_config.json").write_text(json.dumps(settings))


def of_a_run(folder: Path) -> None:
    (folder / "policy.json").write_text("{}")


def without_settings(folder: Path) -> None:
    (folder / "adapter_config.json").unlink()


def without_weights(folder: Path) -> None:
    (folder / "adapter_model.safetensors").unlink()


def truncated(folder: Path) -> None:
    file = folder / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-50])


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lacking, "lacks base_model.model"),
        (infinite, "is NaN or infinite in base_model"),
        (of_other_sizes, "cannot be merged: .*size mismatch"),
        (of_other_modules, "cannot be merged: .*c_attn"),
        (of_a_run, "is a run's own; .* verirank export RUN --to adapter"),
        (without_settings, "holds no adapter_config.json"),
        (without_weights, "holds no adapter_model.safetensors"),
        (truncated, "cannot read adapter_model.safetensors of"),
    ],
)
def test_an_adapter_that_does_not_fit_is_one_line(folder: Path, damage: Any, says: str) -> None:
    damage(folder)
    with pytest.raises(InputError, match=says) as refused:
        load_base(ModelConfig(adapter=str(folder)))
    assert "\n" not in str(refused.value)


def test_prompts_cannot_be_merged(tmp_path: Path) -> None:
    settings = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    get_peft_model(plain(), settings).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="PROMPT_TUNING, which changes no weights"):
        load_base(ModelConfig(adapter=str(tmp_path)))


def test_the_command_ends_with_2(tmp_path: Path) -> None:
    done = verirank("train", "--set", f"model.adapter={tmp_path}", "--out", tmp_path / "run")
    assert done.returncode == 2 and "holds no adapter_config.json" in done.stderr
