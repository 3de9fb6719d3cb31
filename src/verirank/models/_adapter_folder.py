"""An adapter of peft in a folder: read and checked alike by whoever merges it or trains it on."""

from __future__ import annotations

import json
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from verirank.config import InputError
from verirank.models._base_model import BaseModel, sha256_of
from verirank.models._weights import expect_no_pointer, named

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_SETTINGS, _TENSORS = "adapter_config.json", "adapter_model.safetensors"
_PICKLED = "adapter_model.bin"
_BASE = "verirank.json"
"""Where an exported adapter's folder names its base."""
_OF_PROMPTS = ("PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING", "MULTITASK_PROMPT_TUNING", "CPT")


@dataclass(frozen=True)
class StoredAdapter:
    """An adapter as peft's `save_pretrained` leaves it.

    `name` is its folder as the user wrote it, `settings` are peft's, and `tensors` have the names
    that peft's files use.
    """

    name: str
    settings: Any
    tensors: dict[str, Tensor]

    def expect_tensors_of(self, adapted: Any) -> None:
        """Refuse an adapter whose file lacks tensors that a model asks for, or has others.

        Args:
            adapted: a model that peft has wrapped with these settings.

        Raises:
            InputError: it does.
        """
        from peft import get_peft_model_state_dict

        asked = get_peft_model_state_dict(adapted, save_embedding_layers=False)
        faults: dict[str, Collection[str]] = {
            "lacks": asked.keys() - self.tensors.keys(),
            "has tensors that the model has no place for:": {
                key for key in self.tensors.keys() - asked.keys() if "embed" not in key
            },
        }
        for fault, keys in faults.items():
            if keys:
                raise InputError(
                    f"adapter {self.name!r} {fault} {named(keys)}; is it of this model?"
                )

    def expect_base(self, model: PreTrainedModel) -> None:
        """Refuse an adapter whose base is recorded, and is another one.

        Args:
            model: the base, in fp32.

        Raises:
            InputError: it is.
        """
        file = folder_of(self.name) / _BASE
        if not file.is_file():
            return
        recorded = json.loads(file.read_text("utf-8"))
        if recorded.get("four_bit"):
            raise InputError(
                f"adapter {self.name!r} was trained over a base in 4 bits, whose weights are not "
                "the model's; export its run as merged, and name that folder as the model"
            )
        dtype, state = getattr(torch, recorded["base_dtype"]), model.state_dict()
        cast = {n: t.to(dtype) if t.is_floating_point() else t for n, t in state.items()}
        if sha256_of(cast) != recorded["base_sha256"]:
            raise InputError(
                f"adapter {self.name!r} was trained on other weights: SHA-256 "
                f"{recorded['base_sha256'][:12]} in its {_BASE}; name the model that it stands on"
            )


def folder_of(name: str) -> Path:
    """Return the folder that a setting names."""
    return Path(name).expanduser()


def adapter_settings(name: str) -> Any:
    """Return peft's settings of an adapter, without its tensors.

    Args:
        name: its folder.

    Raises:
        InputError: there is no adapter, or it is of a kind that changes no weights; the message
            says what is there.
    """
    from peft import PeftConfig

    folder = folder_of(name)
    if not folder.is_dir():
        raise InputError(
            f"adapter {name!r}: there is no such folder; download it, or mend the path"
        )
    if (folder / "policy.json").is_file() or (folder / "adapter" / "policy.json").is_file():
        raise InputError(
            f"adapter {name!r} is a run's own; write one for peft with "
            "verirank export RUN --to adapter --out FOLDER"
        )
    file = folder / _SETTINGS
    if not file.is_file():
        raise InputError(f"adapter {name!r} holds no {_SETTINGS}: it is no adapter of peft")
    expect_no_pointer(file, f"adapter {name!r}")
    try:
        kind = json.loads(file.read_text("utf-8")).get("peft_type")
    except (ValueError, AttributeError):
        raise InputError(f"cannot read {file}: it is not the JSON of an adapter") from None
    if kind in _OF_PROMPTS:
        raise InputError(f"adapter {name!r} is of type {kind}, which changes no weights")
    if not (folder / _TENSORS).is_file():
        pickled = f"; save {_PICKLED} as safetensors" if (folder / _PICKLED).is_file() else ""
        raise InputError(f"adapter {name!r} holds no {_TENSORS}{pickled}")
    expect_no_pointer(folder / _TENSORS, f"adapter {name!r}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return PeftConfig.from_pretrained(str(folder))
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"cannot read {file}: {reason}") from error


def read_adapter(name: str) -> StoredAdapter:
    """Return an adapter with its tensors, on the CPU.

    Args:
        name: its folder.

    Raises:
        InputError: see `adapter_settings`; or its tensors cannot be read, or are NaN or infinite.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    settings = adapter_settings(name)
    try:
        tensors = load_file(folder_of(name) / _TENSORS)
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot read {_TENSORS} of adapter {name!r}: {error}") from error
    if wrong := [key for key, tensor in tensors.items() if not torch.isfinite(tensor).all()]:
        raise InputError(f"adapter {name!r} is NaN or infinite in {named(wrong)}")
    return StoredAdapter(name, settings, tensors)


def write_base_of(folder: Path, base: BaseModel) -> None:
    """Record in an adapter's folder which weights it stands on, by dtype and SHA-256."""
    recorded = {
        "base_dtype": str(base.dtype).removeprefix("torch."),
        "base_sha256": base.fingerprint(),
        "four_bit": base.is_four_bit,
    }
    (folder / _BASE).write_text(json.dumps(recorded, indent=2) + "\n", "utf-8")
