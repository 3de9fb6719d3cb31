"""Checks that a model's weights are all there, finite, and those of this architecture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open

from verirank.config import InputError, ModelConfig

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_LFS = b"version https://git-lfs"
_PEFT_PREFIX = "base_model.model."
_TOKENIZERS = (
    *("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json", "vocab.txt"),
    *("spiece.model", "sentencepiece.bpe.model", "tekken.json"),
)
"""Of which a tokenizer has one at least."""
_NAMED = 3
"""Tensors that a message names."""


def expect_model_folder(name: str, folder: Path) -> None:
    """Refuse a folder that holds an adapter, no weights, or Git LFS pointers instead of files.

    Args:
        name: of the model, for the message.
        folder: exists.

    Raises:
        InputError: it does; the message says what to do.
    """
    expect_no_adapter(name, folder / "adapter_config.json")
    if (folder / "policy.json").is_file():
        raise InputError(
            f"model folder {name!r} holds a run's own adapter; write a model from the run with "
            "verirank export RUN --to merged --out FOLDER"
        )
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise InputError(
            f"model folder {name!r} holds no .safetensors weights; "
            "save the model there with save_pretrained()"
        )
    for file in (*weights, *sorted(folder.glob("*.json"))):
        expect_no_pointer(file, f"model folder {name!r}")
    for file in weights:
        _expect_whole(file, f"model folder {name!r}")
    if not any((folder / file).is_file() for file in _TOKENIZERS):
        raise InputError(
            f"model folder {name!r} holds no tokenizer; save it there with "
            "tokenizer.save_pretrained()"
        )


def _expect_whole(file: Path, source: str) -> None:
    """Refuse a file of tensors that is cut off or no such file."""
    try:
        with safe_open(file, "pt"):
            pass
    except SafetensorError as error:
        raise InputError(
            f"{file.name} of {source} is cut off or damaged ({error}); download or save it again"
        ) from error


def expect_no_pointer(file: Path, source: str) -> None:
    """Refuse a Git LFS pointer in the place of a file.

    Args:
        file: exists.
        source: what holds it, for the message.

    Raises:
        InputError: it is one.
    """
    with file.open("rb") as opened:
        if opened.read(len(_LFS)) == _LFS:
            raise InputError(
                f"{file.name} of {source} is a Git LFS pointer, not the file itself; run git lfs "
                "pull in it"
            )


def expect_no_adapter(name: str, settings: Path) -> None:
    """Refuse an adapter's settings (`adapter_config.json`), where there are any.

    Raises:
        InputError: the model is an adapter; the message names its base.
    """
    if not settings.is_file():
        return
    try:
        base = json.loads(settings.read_text("utf-8"))["base_model_name_or_path"] or "its base"
    except (ValueError, KeyError, TypeError):
        base = "a base that its damaged adapter_config.json does not name"
    raise InputError(
        f"model {name!r} is a PEFT adapter of {base}, not a model; name that model, and the "
        f"adapter by --set model.adapter={name}, which merges it, or by method.start, which trains "
        "it on"
    )


def expect_known_quantisation(model: ModelConfig, config: Any) -> None:
    """Refuse a checkpoint that is stored quantised, but for 4 bits by bitsandbytes.

    Raises:
        InputError: it is, or it is to be quantised once more or to have an adapter merged into it.
    """
    quantised = getattr(config, "quantization_config", None)
    if quantised is None:
        return
    stored = quantised if isinstance(quantised, dict) else quantised.to_dict()
    method = stored.get("quant_method", "quantization_config")
    if "bitsandbytes" not in str(method) or not stored.get("load_in_4bit"):
        raise InputError(
            f"model {model.name!r} is stored quantised ({method}), which is not supported; use "
            "the checkpoint in bfloat16 or float32, or in 4 bits by bitsandbytes"
        )
    if model.adapter or model.quantization:
        setting = "model.adapter" if model.adapter else "model.quantization"
        raise InputError(
            f"model {model.name!r} is stored in 4 bits already: {setting} needs the checkpoint in "
            "bfloat16 or float32"
        )


def expect_all_weights(name: str, info: Mapping[str, Any]) -> None:
    """Refuse a checkpoint whose tensors are not those of its architecture.

    transformers draws missing tensors at random and only warns.

    Args:
        name: of the model.
        info: what `from_pretrained(output_loading_info=True)` returned.

    Raises:
        InputError: a tensor is missing, unexpected or of another shape.
    """
    mismatched = [
        f"{key} ({there} instead of {due})" for key, there, due in info["mismatched_keys"]
    ]
    faults = {
        "missing": info["missing_keys"],
        "of another shape": mismatched,
        "unexpected": info["unexpected_keys"],
    }
    said = [f"{len(keys)} {fault}: {named(keys)}" for fault, keys in faults.items() if keys]
    if said or info["error_msgs"]:
        said += [" ".join(str(message).split()) for message in info["error_msgs"][:1]]
        wrapped = any(key.startswith(_PEFT_PREFIX) for key in info["unexpected_keys"])
        advice = "save the model again with save_pretrained()"
        if wrapped:
            advice = "they are a peft wrapper's: save what its merge_and_unload() returns"
        raise InputError(
            f"the weights of model {name!r} are not those of its config.json: {'; '.join(said)}; "
            f"{advice}"
        )


def expect_finite(name: str, model: PreTrainedModel) -> None:
    """Refuse weights that are NaN or infinite.

    Raises:
        InputError: some are.
    """
    wrong = [key for key, tensor in model.named_parameters() if not _is_finite(tensor)]
    if wrong:
        raise InputError(
            f"the weights of model {name!r} are NaN or infinite in {len(wrong)} tensors: "
            f"{named(wrong)}; the checkpoint is damaged"
        )


def expect_tokens_fit(
    name: str, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel
) -> None:
    """Refuse a tokenizer whose texts hold tokens beyond the model's embeddings.

    A special token there, such as Gemma 3's place of an image, harms nothing unless a prompt holds
    it, which is looked at when problems are read; but a text must not begin or end with one.

    Raises:
        InputError: there are such tokens.
    """
    embeddings: Any = model.get_input_embeddings()
    rows = embeddings.weight.shape[0]
    special = {n for n, token in tokenizer.added_tokens_decoder.items() if token.special}
    vocabulary = tokenizer.get_vocab()
    around = {
        vocabulary.get(str(tokenizer.bos_token), 0),
        vocabulary.get(str(tokenizer.eos_token), 0),
    }
    highest = max({*vocabulary.values()} - special | around)
    if highest >= rows:
        raise InputError(
            f"the tokenizer of model {name!r} has tokens up to {highest}, but its embeddings have "
            f"{rows} rows; use the tokenizer that it was trained with, or resize the embeddings"
        )


def _is_finite(tensor: torch.Tensor) -> bool:
    # One pass without a temporary: both are NaN where any element is.
    low, high = torch.aminmax(tensor) if tensor.numel() else (tensor.new_zeros(()),) * 2
    return bool(torch.isfinite(low) and torch.isfinite(high))


def named(keys: Iterable[str]) -> str:
    """Return the first names of tensors for a message."""
    names = sorted(keys)
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
