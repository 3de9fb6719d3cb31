"""Weights that are not what they seem are refused in one line, before anything is computed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM

from command_line import verirank
from verirank.config import InputError, ModelConfig
from verirank.models import load_base

GAIN = "model.layers.0.input_layernorm.weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copied = tmp_path / "model"
    shutil.copytree(load_base(ModelConfig()).source, copied)
    return copied


def edited(folder: Path, edit: Callable[[dict[str, Tensor]], object]) -> None:
    """Change the tensors of a checkpoint."""
    file = folder / "model.safetensors"
    tensors = load_file(file)
    edit(tensors)
    save_file(tensors, file, metadata={"format": "pt"})


def reason(folder: Path) -> str:
    with pytest.raises(InputError) as refused:
        load_base(ModelConfig(name=str(folder)))
    (line,) = str(refused.value).splitlines()
    return line


def prefixed(tensors: dict[str, Tensor]) -> None:
    renamed = {f"base_model.model.{name}": tensor for name, tensor in tensors.items()}
    tensors.clear()
    tensors.update(renamed)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda t: t.pop(GAIN), f"1 missing: {GAIN}"),
        (lambda t: t.update(extra=torch.ones(2)), "1 unexpected: extra"),
        (lambda t: t.update({GAIN: torch.ones(3)}), rf"1 of another shape: {GAIN} \("),
        (lambda t: t[GAIN][0].fill_(float("nan")), f"NaN or infinite in 1 tensors: {GAIN}"),
        (lambda t: t[GAIN][0].fill_(float("inf")), f"NaN or infinite in 1 tensors: {GAIN}"),
        (prefixed, r"missing: .*, \.\.\.; \d+ unexpected: base_model.model..*merge_and_unload"),
    ],
    ids=["missing", "unexpected", "shape", "nan", "infinite", "prefixed"],
)
def test_tensors_that_are_not_the_models_are_named(
    folder: Path, edit: Callable[[dict[str, Tensor]], object], says: str
) -> None:
    edited(folder, edit)
    line = reason(folder)
    assert repr(str(folder)) in line
    assert re.search(says, line), line


def test_a_truncated_file_is_one_line(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    assert "model.safetensors of model folder" in reason(folder)
    assert reason(folder).endswith("; download or save it again")


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_git_lfs_pointer_says_to_pull(folder: Path, name: str) -> None:
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n")
    assert f"{name} of model folder" in (line := reason(folder)) and "git lfs pull" in line


def test_a_tokenizer_larger_than_the_embeddings_is_refused(folder: Path) -> None:
    base = load_base(ModelConfig())
    base.tokenizer.add_tokens([f"new{n}" for n in range(2000)])
    base.tokenizer.save_pretrained(folder)
    assert "the tokenizer of model" in reason(folder)


def test_an_adapter_given_as_a_model_names_the_settings_that_take_it(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(load_base(ModelConfig()).source)
    adapted = get_peft_model(model, LoraConfig(target_modules=["q_proj"]))
    adapted.save_pretrained(tmp_path)
    assert "is a PEFT adapter of " in (line := reason(tmp_path))
    assert f"--set model.adapter={tmp_path}" in line and "method.start" in line


def test_a_runs_own_adapter_says_to_export_it(tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text("{}")
    assert "verirank export" in reason(tmp_path)


def test_a_quantised_checkpoint_is_refused(folder: Path) -> None:
    file = folder / "config.json"
    settings = json.loads(file.read_text())
    settings["quantization_config"] = {"quant_method": "gptq", "bits": 4}
    file.write_text(json.dumps(settings))
    assert "stored quantised (gptq)" in reason(folder)


def test_the_command_ends_with_2(folder: Path) -> None:
    edited(folder, lambda tensors: tensors.pop(GAIN))
    done = verirank("eval", str(folder), "--out", str(folder.parent / "out"))
    assert done.returncode == 2 and "1 missing" in done.stderr


def test_a_special_token_beyond_the_embeddings_harms_nothing(folder: Path) -> None:
    base = load_base(ModelConfig())
    base.tokenizer.add_special_tokens({"additional_special_tokens": ["<image_soft_token>"]})
    base.tokenizer.save_pretrained(folder)
    loaded = load_base(ModelConfig(name=str(folder)))
    assert max(loaded.tokenizer.get_vocab().values()) >= loaded.embeddings
    base.tokenizer.add_special_tokens({"bos_token": "<start>"})
    base.tokenizer.save_pretrained(folder)
    assert "the tokenizer of model" in reason(folder)


def test_a_folder_without_a_tokenizer_says_so(folder: Path) -> None:
    for file in folder.glob("*token*"):
        file.unlink()
    assert reason(folder).endswith("save it there with tokenizer.save_pretrained()")
