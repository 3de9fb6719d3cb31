"""What is exported gives the served logits in the hands of transformers and peft."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import pytest
import torch
from moved_policies import logits, moved_policy, served
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from installed_methods import METHODS
from verirank.config import InputError, ModelConfig
from verirank.export import write_policy
from verirank.models import load_base

LOW_RANK = (
    *("corda", "deft", "delora", "eva", "geora", "lora-ga", "lora-ranks", "mica", "olora", "osf"),
    *("peanut", "psoft", "rlmo", "rlpo", "tinylora"),
)
LORAS = [
    *("lora", "miss", "vera", "lora-plus", "lora-fa", "rslora", "pissa", "milora", "adalora"),
    *(pytest.param(name, marks=pytest.mark.thorough) for name in LOW_RANK),
]

# peft looks for an input and an output size of norm layers, which they have not and do not need.
# And it looks for a CUDA extension of BOFT's.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Unsupported layer type:UserWarning"),
    pytest.mark.filterwarnings("ignore:Failed to load the CUDA extension:UserWarning"),
    pytest.mark.filterwarnings("ignore:Setting boft_n_butterfly_factor:UserWarning"),
]


def loaded_by_peft(folder) -> PeftModel:
    return PeftModel.from_pretrained(load_base(ModelConfig()).model, folder)


def assert_close(found: torch.Tensor, expected: torch.Tensor, base: torch.Tensor) -> None:
    """Equal up to fp32 rounding, which lies far below what the policy learned."""
    gap, learned = float((found - expected).abs().max()), float((base - expected).abs().max())
    assert gap < 2e-5 * float(expected.abs().max())
    assert gap < 1e-2 * learned


@pytest.mark.parametrize("dtype", ["base", "base_bf16"])
@pytest.mark.parametrize("method", METHODS)
def test_a_merged_model_has_the_served_logits_in_transformers(method, dtype, request, tmp_path):
    policy = moved_policy(request.getfixturevalue(dtype), method)
    write_policy(policy, "merged", tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert model.dtype == policy.base.dtype
    assert torch.equal(logits(model), served(policy))


@pytest.mark.parametrize("method", [name for name in METHODS if name != "full"])
def test_an_adapter_has_the_served_logits_in_peft(method, base, tmp_path):
    policy = moved_policy(base, method)
    write_policy(policy, "adapter", tmp_path)
    if method == "randlora":  # of the factors that its layers share
        warnings.filterwarnings("ignore", "Found missing adapter keys")
    assert_close(logits(loaded_by_peft(tmp_path)), served(policy), logits(base.model))


@pytest.mark.parametrize("method", LORAS)
def test_a_plain_lora_has_the_served_logits_in_peft(method, base, tmp_path):
    policy = moved_policy(base, method)
    write_policy(policy, "lora", tmp_path)
    assert_close(logits(loaded_by_peft(tmp_path)), served(policy), logits(base.model))


@pytest.mark.parametrize("method", LORAS)
def test_a_plain_lora_needs_no_flag_and_no_other_tensor(method, base, tmp_path):
    write_policy(moved_policy(base, method), "lora", tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["peft_type"] == "LORA"
    assert config["lora_alpha"] == config["r"]
    assert not config["use_rslora"] and not config["use_dora"]
    assert not config["rank_pattern"] and not config["alpha_pattern"]
    names = load_file(tmp_path / "adapter_model.safetensors")
    assert {name.split(".")[-2] for name in names} == {"lora_A", "lora_B"}


@pytest.mark.parametrize("form", ["adapter", "lora"])
@pytest.mark.parametrize("method", ["pissa", "milora"])
def test_an_svd_initialised_adapter_leaves_as_a_lora_of_twice_the_rank(
    method, form, base, tmp_path
):
    write_policy(moved_policy(base, method), form, tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["peft_type"], config["r"]) == ("LORA", 64)
    assert config["init_lora_weights"] is True


@pytest.mark.parametrize("method", [m for m in METHODS if m not in LORAS])
def test_what_is_no_lora_is_refused_as_one_and_leaves_nothing(method, base, tmp_path):
    with pytest.raises(InputError, match=f"method '{method}' is no plain LoRA; export it as"):
        write_policy(moved_policy(base, method), "lora", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_full_fine_tuning_has_no_adapter(base, tmp_path):
    with pytest.raises(InputError, match="'full' has no adapter; export the whole model: merged"):
        write_policy(moved_policy(base, "full"), "adapter", tmp_path)


def test_tied_embeddings_stay_tied(base, tmp_path):
    write_policy(moved_policy(base, "full"), "merged", tmp_path)
    assert "lm_head.weight" not in load_file(tmp_path / "model.safetensors")
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert model.lm_head.weight is model.get_input_embeddings().weight


def test_the_biases_that_ia3_rescales_are_in_the_merged_model(base, tmp_path):
    policy = moved_policy(base, "ia3")
    write_policy(policy, "merged", tmp_path)
    key = "model.layers.0.self_attn.k_proj.bias"
    written = load_file(tmp_path / "model.safetensors")[key]
    assert not torch.equal(written, base.model.state_dict()[key])
    assert torch.equal(written, dict(policy.effective_weights())[key])


def test_a_merged_model_brings_its_tokenizer(base, tmp_path):
    write_policy(moved_policy(base, "lora"), "merged", tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    text = r"(12+7)*3-5=<think>12+7=19</think>\boxed{52}"
    assert tokenizer(text).input_ids == base.tokenizer(text).input_ids


@pytest.mark.parametrize("form", ["merged", "adapter", "lora"])
def test_no_exported_settings_name_a_folder_of_this_machine(form, base, tmp_path):
    write_policy(moved_policy(base, "lora"), form, tmp_path)
    for file in tmp_path.glob("*.json"):
        assert base.source not in file.read_text("utf-8")


@pytest.mark.parametrize("method", METHODS)
def test_exporting_leaves_the_base_and_the_policy_as_they_were(method, base, tmp_path):
    policy = moved_policy(base, method)
    fingerprint = base.fingerprint()
    state = {name: tensor.clone() for name, tensor in policy.state().items()}
    for form in ("merged", "adapter", "lora"):
        try:
            write_policy(policy, form, tmp_path / form)
        except InputError:
            continue
    assert base.fingerprint() == fingerprint
    assert policy.state().keys() == state.keys()
    assert all(torch.equal(tensor, state[name]) for name, tensor in policy.state().items())


def test_an_adapter_of_which_peft_would_lose_tensors_is_refused(base, tmp_path):
    # Old checkpoints of Laguna call their shared experts by a name that is a part of today's.
    sizes = {"hidden_size": 32, "intermediate_size": 48, "vocab_size": 64, "num_experts": 4}
    sizes |= {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    sizes |= {"head_dim": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
    config = AutoConfig.for_model("laguna", **sizes, pad_token_id=0)
    model = AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)
    policy = moved_policy(replace(base, model=model), "lora")
    with pytest.raises(InputError, match=r"shared_experts.*; export it as merged"):
        write_policy(policy, "adapter", tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()
    write_policy(policy, "merged", tmp_path / "merged")
