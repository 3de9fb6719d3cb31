"""Where base models come from: the built-in micro, SmolLM2's wheel, a folder, or the hub."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import torch

from verirank.config import InputError, ModelConfig
from verirank.models._base_model import BaseModel
from verirank.models._device import device_of
from verirank.models._hub import expect_on_hub
from verirank.models._shape import HUB_SHAPES, SHAPES, ModelShape, shape_of


def load_base(config: ModelConfig, device: str = "cpu") -> BaseModel:
    """Load a frozen base model in evaluation mode, from safetensors only.

    Args:
        config: which model, and its dtype.
        device: where to: cpu, cuda, mps, or auto.

    Raises:
        InputError: the model is not there, has no safetensors weights, or needs remote code; or
            there is no such device; or it attends otherwise than fully and causally.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    # Its bar of read tensors would stand between the lines of every command and of every worker.
    logging.disable_progress_bar()
    place, source = device_of(device), _source(config)
    options = {"revision": config.revision, "trust_remote_code": config.trust_remote_code}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **options)
        model = AutoModelForCausalLM.from_pretrained(
            source, dtype=getattr(torch, config.dtype), use_safetensors=True, **options
        )
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"cannot load model {config.name!r}: {reason}") from error
    _refuse_other_attention(model.config)
    _refuse_scaled_logits(model.config)
    model.eval().requires_grad_(False).to(place)  # pyright: ignore[reportArgumentType]
    return BaseModel(name=config.name, source=str(source), model=model, tokenizer=tokenizer)


def _refuse_other_attention(config: Any) -> None:
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    window = getattr(config, "sliding_window", None) if len(kinds) == 1 else None
    windowed = window is not None and getattr(config, "use_sliding_window", True)
    if kinds != {"full_attention"} or windowed or getattr(config, "attn_logit_softcapping", None):
        raise InputError(
            f"model type {config.model_type!r} has attention other than full causal attention "
            "(a sliding window, linear layers or soft-capping), which is not known here yet"
        )


def _refuse_scaled_logits(config: Any) -> None:
    """Refuse models that do more to logits than their head: trainer and sampler end with that."""
    names = ("logits_scaling", "logit_scale", "final_logit_softcapping")
    if any(getattr(config, name, None) not in (None, 1, 1.0) for name in names):
        raise InputError(
            f"model type {config.model_type!r} scales or soft-caps the logits of its head, "
            "which is not known here yet"
        )


def load_shape(config: ModelConfig) -> ModelShape:
    """Read a model's dimensions without its weights; for the published models, without the Hub.

    Raises:
        InputError: the model is not there.
    """
    if config.name in HUB_SHAPES and config.revision is None:
        return SHAPES[HUB_SHAPES[config.name]]
    from transformers import AutoConfig

    options = {"revision": config.revision, "trust_remote_code": config.trust_remote_code}
    try:
        return shape_of(AutoConfig.from_pretrained(_source(config), **options))
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"cannot read the shape of {config.name!r}: {reason}") from error


def is_local(config: ModelConfig) -> bool:
    """Return whether a model is on this machine, so that loading it downloads nothing."""
    from huggingface_hub import try_to_load_from_cache

    if config.name in ("micro", "smollm2") or Path(config.name).expanduser().is_dir():
        return True
    try:
        found = try_to_load_from_cache(config.name, "config.json", revision=config.revision)
    except ValueError:  # the name is none that the Hub could have
        return False
    return isinstance(found, str)


def _source(config: ModelConfig) -> str:
    if config.name == "micro":
        return str(files("verirank.models") / "micro")
    if config.name == "smollm2":
        from verirank.models._smollm2 import smollm2_folder

        return str(smollm2_folder())
    folder = Path(config.name).expanduser()
    if folder.is_dir():
        if not any(folder.glob("*.safetensors")):
            raise InputError(
                f"model folder {config.name!r} holds no .safetensors weights; "
                "save the model there with save_pretrained()"
            )
        return str(folder)
    if folder.is_absolute() or config.name.startswith(("./", "../", "~")):
        raise InputError(f"model folder {config.name!r} does not exist")
    expect_on_hub(config.name, config.revision)
    return config.name
