"""A method trains on from an adapter of peft; the base of comparison is the model with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LoraConfig, OFTConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from command_line import verirank
from verirank.config import InputError, ModelConfig, resolve
from verirank.export import write_policy
from verirank.methods import Policy, check_method, load_policy, save_policy
from verirank.models import LINEARS, load_base

SFT: dict[str, tuple[Any, dict[str, Any]]] = {
    "lora": (LoraConfig(r=4, lora_alpha=8), {"rank": 4}),
    "dora": (LoraConfig(r=4, lora_alpha=8, use_dora=True), {"rank": 4}),
    "rslora": (LoraConfig(r=4, lora_alpha=16, use_rslora=True), {"rank": 4}),
    "ia3": (IA3Config(feedforward_modules=["down_proj"]), {}),
    "oft": (OFTConfig(oft_block_size=32, use_cayley_neumann=False), {}),
}
TOKENS = torch.tensor([[3, 5, 7, 9]])


def plain() -> Any:
    return AutoModelForCausalLM.from_pretrained(load_base(ModelConfig()).source)


def adapter(settings: Any, folder: Path, modules: tuple[str, ...] = LINEARS) -> Path:
    """Write an adapter with random tensors, as training leaves it."""
    torch.manual_seed(0)
    settings.task_type, settings.target_modules = "CAUSAL_LM", set(modules)
    model = get_peft_model(plain(), settings)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and "magnitude" not in name:
                parameter.add_(0.02 * torch.randn(parameter.shape))
    model.save_pretrained(str(folder))
    return folder


def started(method: str, folder: Path, **settings: Any) -> Policy:
    config = resolve({"method": {"name": method, "start": str(folder), **settings}})
    return Policy.create(load_base(config.model), config.method, seed=0, total_steps=4)


@pytest.mark.parametrize("method", SFT)
def test_the_policy_starts_as_peft_has_the_adapter(method: str, tmp_path: Path) -> None:
    sft, settings = SFT[method]
    folder = adapter(sft, tmp_path / "sft", ("k_proj", "v_proj", "down_proj"))
    modules = ["k_proj", "v_proj", "down_proj"]
    policy = started(method, folder, modules=modules, **settings)
    with torch.no_grad():
        expected = PeftModel.from_pretrained(plain(), str(folder)).eval()(TOKENS).logits
        torch.testing.assert_close(policy.model(TOKENS).logits, expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(policy.base.model(TOKENS).logits, expected, atol=1e-4, rtol=1e-4)
    base = policy.base.model.state_dict()
    for name, weight in policy.effective_weights():
        torch.testing.assert_close(weight, base[name], atol=1e-5, rtol=1e-5)


def test_a_policy_that_goes_on_is_stored_and_exported_over_the_plain_base(tmp_path: Path) -> None:
    policy = started("lora", adapter(SFT["lora"][0], tmp_path / "sft"), rank=4)
    with torch.no_grad():
        for parameter in policy.trainable().values():
            parameter.add_(0.01)
    save_policy(policy, tmp_path / "policy")
    again = load_policy(policy.base, tmp_path / "policy")
    write_policy(policy, "adapter", tmp_path / "adapter")
    with torch.no_grad():
        expected = policy.model(TOKENS).logits
        assert torch.equal(again.model(TOKENS).logits, expected)
        exported = PeftModel.from_pretrained(plain(), str(tmp_path / "adapter")).eval()
        torch.testing.assert_close(exported(TOKENS).logits, expected, atol=1e-4, rtol=1e-4)


SCALES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "lora": ({"lora_alpha": 4}, {}),
    "dora": ({"lora_alpha": 12, "use_dora": True}, {}),
    "rslora": ({"lora_alpha": 3, "use_rslora": True}, {"alpha": 5}),
    "lora-plus": ({"alpha_pattern": {"q_proj": 3, "down_proj": 20}}, {}),
}


@pytest.mark.parametrize("method", SCALES)
def test_another_scale_is_folded_into_the_start(method: str, tmp_path: Path) -> None:
    sft, settings = SCALES[method]
    folder = adapter(LoraConfig(r=4, **sft), tmp_path / "sft")
    policy = started(method, folder, rank=4, **settings)
    with torch.no_grad():
        expected = PeftModel.from_pretrained(plain(), str(folder)).eval()(TOKENS).logits
        torch.testing.assert_close(policy.model(TOKENS).logits, expected, atol=1e-4, rtol=1e-4)
    assert policy.method.behaviour(policy, lambda: 0)[0] or method == "lora-plus"


def test_what_was_exported_goes_on_at_the_methods_own_settings(tmp_path: Path) -> None:
    config = resolve({"method": {"name": "rslora", "rank": 4}})
    policy = Policy.create(load_base(config.model), config.method, seed=0, total_steps=1)
    with torch.no_grad():
        for parameter in policy.trainable().values():
            parameter.add_(0.01)
    write_policy(policy, "lora", tmp_path / "folded")
    again = started("lora", tmp_path / "folded", rank=4)
    with torch.no_grad():
        expected = policy.model(TOKENS).logits
        torch.testing.assert_close(again.model(TOKENS).logits, expected, atol=1e-4, rtol=1e-4)


def test_it_is_what_it_says(tmp_path: Path) -> None:
    folder = adapter(SFT["lora"][0], tmp_path / "sft")
    config = resolve({"method": {"name": "lora", "start": str(folder), "rank": 4}})
    report = check_method(config.method, config.model)
    assert report.passed, [check for check in report.checks if not check.passed]


def test_the_base_of_comparison_is_the_model_with_the_adapter(tmp_path: Path) -> None:
    config = resolve({"method": {"start": "sft"}})
    assert config.model.adapter == "sft"
    assert "start" not in resolve({}).identity()["method"]
    with pytest.raises(InputError, match="give one of them"):
        resolve({"method": {"start": "sft"}, "model": {"adapter": "other"}})


def test_a_start_that_was_taken_out_of_the_base_is_refused(tmp_path: Path) -> None:
    folder = adapter(LoraConfig(r=4, lora_alpha=8, init_lora_weights="pissa"), tmp_path / "sft")
    with pytest.raises(InputError, match=r"took its own start out of the base .*'pissa'"):
        started("lora", folder, rank=4)


REFUSED = {
    "lora": ({"rank": 8}, r"has rank 4, not 8; set method\.rank"),
    "rslora": ({"rank": 4}, r"has use_rslora False, not True"),
    "dora": ({"rank": 4}, r"has use_dora False, not True"),
    "ia3": ({}, r"is of peft's type Lora, but method 'ia3' trains IA3"),
    "pissa": ({"rank": 4}, r"takes its start out of the base"),
    "full": ({}, r"trains no adapter, so none can be its start"),
}


@pytest.mark.parametrize("method", REFUSED)
def test_what_cannot_go_on_is_refused_in_one_line(method: str, tmp_path: Path) -> None:
    settings, reason = REFUSED[method]
    folder = adapter(LoraConfig(r=4, lora_alpha=16 if method == "lora" else 8), tmp_path / "sft")
    with pytest.raises(InputError, match=reason):
        started(method, folder, **settings)


def test_other_layers_are_refused_with_those_of_the_adapter(tmp_path: Path) -> None:
    folder = adapter(LoraConfig(r=4, lora_alpha=8), tmp_path / "sft", ("q_proj", "v_proj"))
    with pytest.raises(
        InputError, match=r"lacks: .*; the layers of the adapter are q_proj, v_proj"
    ):
        started("lora", folder, rank=4)


def test_an_adapter_whose_base_is_recorded_fits_no_other(tmp_path: Path) -> None:
    policy = Policy.create(load_base(ModelConfig()), resolve({}).method, seed=0, total_steps=1)
    folder = tmp_path / "adapter"
    write_policy(policy, "adapter", folder)
    load_base(ModelConfig(adapter=str(folder)))
    recorded = json.loads((folder / "verirank.json").read_text())
    (folder / "verirank.json").write_text(json.dumps({**recorded, "base_sha256": "0" * 64}))
    with pytest.raises(InputError, match="was trained on other weights: SHA-256 000000000000"):
        load_base(ModelConfig(adapter=str(folder)))


@pytest.mark.slow
def test_a_run_goes_on_and_its_card_says_so(tmp_path: Path) -> None:
    folder = adapter(SFT["lora"][0], tmp_path / "sft")
    small = "sampling.problems_per_step=2", "evaluation.problems=4", "method.rank=4"
    given = [part for one in small for part in ("--set", one)]
    done = verirank(
        *("train", "--steps", "2", "--out", tmp_path / "run", "--set", f"method.start={folder}"),
        *("--set", "machine.train_without_signal=true", *given),
    )
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["start"] == manifest["adapter"] == str(folder)
    assert (
        verirank(
            "export", tmp_path / "run", "--to", "adapter", "--out", tmp_path / "out"
        ).returncode
        == 0
    )
    assert f"went on from the adapter {folder}" in (tmp_path / "out" / "README.md").read_text()
