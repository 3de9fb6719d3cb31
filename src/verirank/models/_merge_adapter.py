"""A trained adapter merged into a base model in memory, before anything else sees the base."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from verirank.config import InputError
from verirank.models._base_model import sha256_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_NAMED = 3
_BASE = "verirank.json"
"""Where an exported adapter's folder names its base."""


def merge_adapter(model: PreTrainedModel, name: str) -> PreTrainedModel:
    """Return a model with an adapter of peft merged into its weights in fp32.

    Args:
        model: in fp32; is changed in memory, never on disk.
        name: the adapter's folder, as peft's `save_pretrained` leaves it.

    Raises:
        InputError: there is no such adapter, it does not fit the model, lacks weights or has
            others, or is of a kind that has no merged weights.
    """
    from peft import PeftModel
    from safetensors import SafetensorError

    folder = Path(name).expanduser()
    _expect_adapter(name, folder)
    _expect_base(name, folder, model)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            adapted = PeftModel.from_pretrained(model, str(folder))
            _expect_all_weights(name, adapted, folder)
            merged: Any = adapted.merge_and_unload(safe_merge=True)  # type: ignore[operator]
    except InputError:
        raise
    except (
        *(OSError, ValueError, KeyError, RuntimeError, TypeError),
        *(AttributeError, NotImplementedError, SafetensorError),
    ) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(f"model.adapter {name!r} cannot be merged: {reason}") from error
    return merged


def _expect_adapter(name: str, folder: Path) -> None:
    """Refuse a folder that holds no adapter of peft; the message says what it holds."""
    settings = folder / "adapter_config.json"
    if (folder / "policy.json").is_file() or (folder / "adapter" / "policy.json").is_file():
        raise InputError(
            f"model.adapter {name!r} is a run's own; write one for peft with "
            "verirank export RUN --to adapter --out FOLDER"
        )
    if not settings.is_file():
        raise InputError(f"model.adapter {name!r} holds no adapter_config.json: it is no adapter")
    try:
        kind = json.loads(settings.read_text("utf-8")).get("peft_type")
    except (ValueError, AttributeError):
        raise InputError(f"cannot read {settings}: it is not the JSON of an adapter") from None
    if kind in ("PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING", "MULTITASK_PROMPT_TUNING", "CPT"):
        raise InputError(f"model.adapter {name!r} is of type {kind}, which changes no weights")
    if not any(folder.glob("adapter_model.safetensors")):
        raise InputError(f"model.adapter {name!r} holds no adapter_model.safetensors")


def write_base_of(folder: Path, model: PreTrainedModel) -> None:
    """Record in an adapter's folder which weights it stands on, by dtype and SHA-256."""
    dtype = str(model.dtype).removeprefix("torch.")
    recorded = {"base_dtype": dtype, "base_sha256": sha256_of(model.state_dict())}
    (folder / _BASE).write_text(json.dumps(recorded, indent=2) + "\n", "utf-8")


def _expect_base(name: str, folder: Path, model: PreTrainedModel) -> None:
    """Refuse an adapter whose base is recorded, and is another one.

    Raises:
        InputError: it is.
    """
    if not (folder / _BASE).is_file():
        return
    recorded = json.loads((folder / _BASE).read_text("utf-8"))
    dtype = getattr(torch, recorded["base_dtype"])
    cast = {n: t.to(dtype) if t.is_floating_point() else t for n, t in model.state_dict().items()}
    if sha256_of(cast) != recorded["base_sha256"]:
        raise InputError(
            f"adapter {name!r} was trained on other weights: SHA-256 "
            f"{recorded['base_sha256'][:12]} in its {_BASE}; name the model that it stands on"
        )


def _expect_all_weights(name: str, adapted: Any, folder: Path) -> None:
    """Refuse an adapter whose file lacks tensors that its settings ask for, or has others."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import load_file

    stored = load_file(folder / "adapter_model.safetensors")
    asked = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    if wrong := [key for key, tensor in stored.items() if not torch.isfinite(tensor).all()]:
        raise InputError(f"model.adapter {name!r} is NaN or infinite in {_some(wrong)}")
    faults = {
        "lacks": asked.keys() - stored.keys(),
        "has tensors that the model has no place for:": {
            key for key in stored.keys() - asked.keys() if "embed" not in key
        },
    }
    for fault, keys in faults.items():
        if keys:
            raise InputError(f"model.adapter {name!r} {fault} {_some(keys)}; is it of this model?")


def _some(keys: Any) -> str:
    names = sorted(keys)
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
