"""Where base models come from: the built-in micro, SmolLM2's wheel, a folder, or the hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

from verirank.config import InputError, ModelConfig
from verirank.models._adapter_folder import adapter_settings, read_adapter
from verirank.models._base_model import BaseModel, Reader, context_of
from verirank.models._device import device_of
from verirank.models._four_bit import adopt, expect_bitsandbytes, quantise
from verirank.models._hub import BUILT_IN, expect_on_hub
from verirank.models._merge_adapter import merge_adapter
from verirank.models._shape import HUB_SHAPES, SHAPES, ModelShape, shape_of
from verirank.models._weights import (
    expect_all_weights,
    expect_finite,
    expect_known_quantisation,
    expect_model_folder,
    expect_tokens_fit,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


_UNREADABLE = (OSError, ValueError, KeyError, ImportError, RuntimeError, AttributeError)


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Turn what transformers raises about unreadable files into one line."""
    try:
        yield
    except InputError:
        raise
    except (*_UNREADABLE, StrictDataclassError, SafetensorError) as error:
        reason = " ".join(str(error).split("\n\n")[0].split()) or "transformers gives no reason"
        raise InputError(f"cannot read {what}: {reason}") from error


def load_tokenizer(config: ModelConfig) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer without its weights.

    Raises:
        InputError: the model is not there.
    """
    from transformers import AutoTokenizer

    with _reading(f"the tokenizer of {config.name!r}"):
        tokenizer = AutoTokenizer.from_pretrained(_source(config), **_options(config))
    if tokenizer("1").input_ids[-1:] == [tokenizer.eos_token_id]:
        tokenizer.add_eos_token = False
    if tokenizer("1").input_ids[-1:] == [tokenizer.eos_token_id]:
        raise InputError(
            f"the tokenizer of {config.name!r} ends every text with {tokenizer.eos_token!r}, "
            "behind which no answer is written; save it with add_eos_token=False"
        )
    return tokenizer


def _load_config(config: ModelConfig) -> Any:
    from transformers import AutoConfig

    with _reading(f"the config.json of {config.name!r}"):
        loaded = AutoConfig.from_pretrained(_source(config), **_options(config))
    expect_known_quantisation(config, loaded)
    return loaded


def _options(config: ModelConfig) -> dict[str, Any]:
    return {"revision": config.revision, "trust_remote_code": config.trust_remote_code}


def is_four_bit(config: ModelConfig) -> bool:
    """Return whether a model will hold its linear layers in 4 bits, by its settings alone.

    Raises:
        InputError: the model is not there.
    """
    if config.quantization is not None:
        return True
    return getattr(_load_config(config), "quantization_config", None) is not None


def expect_model(config: ModelConfig) -> None:
    """Refuse a model or an adapter that cannot be loaded, as far as that shows without weights.

    Raises:
        InputError: it cannot; see `load_base`.
    """
    _load_config(config)
    if is_four_bit(config):
        expect_bitsandbytes()
    if config.adapter:
        adapter_settings(config.adapter)


def load_skeleton(config: ModelConfig) -> Any:
    """Build a model without its weights, on torch's meta device.

    Raises:
        InputError: the model is not there, or needs remote code.
    """
    from transformers import AutoModelForCausalLM

    found = _load_config(config)
    vars(found).pop("quantization_config", None)
    with _reading(f"model {config.name!r}"), torch.device("meta"):
        return AutoModelForCausalLM.from_config(found, trust_remote_code=config.trust_remote_code)


def context_length(config: ModelConfig) -> int | None:
    """Return the most tokens that a model takes, without its weights; None where it has no limit.

    Raises:
        InputError: the model is not there.
    """
    return context_of(_load_config(config))


def load_reader(config: ModelConfig) -> Reader:
    """Load what reads a model's prompts, without its weights.

    Raises:
        InputError: the model is not there.
    """
    text = _load_config(config).get_text_config()
    return Reader(load_tokenizer(config), context_of(text), text.vocab_size)


def load_base(config: ModelConfig, device: str = "cpu") -> BaseModel:
    """Load a frozen base model in evaluation mode, from safetensors only.

    Args:
        config: which model, and its dtype.
        device: where to: cpu, cuda, mps, or auto.

    Raises:
        InputError: the model is not there, is an adapter, is quantised in another way than by
            bitsandbytes to 4 bits, or that is not installed, needs remote code, or has no
            safetensors weights; a weight is missing, unexpected, of another shape, NaN or infinite;
            the tokenizer has tokens beyond the embeddings; an adapter does not fit; or there is no
            such device.
    """
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    # Its progress bar would appear between the lines of every command and of every worker.
    logging.disable_progress_bar()
    target, source = device_of(device), _source(config)
    expect_model(config)
    stored = getattr(_load_config(config), "quantization_config", None)
    adapter = read_adapter(config.adapter) if config.adapter else None
    tokenizer = load_tokenizer(config)
    with _reading(f"the weights of model {config.name!r}"), _no_warnings_of_transformers():
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source,
            # Merged in fp32, and cast once.
            dtype=torch.float32 if config.adapter else getattr(torch, config.dtype),
            use_safetensors=True,
            # Both are refused below, by name.
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **_options(config),
        )
    model: Any
    model, info = loaded
    expect_all_weights(config.name, info)
    if adapter is not None:
        model = merge_adapter(model, adapter).to(getattr(torch, config.dtype))
    expect_finite(config.name, model)
    expect_tokens_fit(config.name, tokenizer, model)
    model.eval().requires_grad_(False).to(target)
    if stored is not None:
        adopt(model)
    elif config.quantization is not None:
        quantise(model)
    return BaseModel(config=config, source=str(source), model=model, tokenizer=tokenizer)


@contextmanager
def _no_warnings_of_transformers() -> Iterator[None]:
    """Silence its table of missing tensors, which are refused in one line."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)


def load_shape(config: ModelConfig) -> ModelShape:
    """Read a model's dimensions without its weights; for the published models, without the Hub.

    Raises:
        InputError: the model is not there.
    """
    if config.name in HUB_SHAPES and config.revision is None:
        return replace(SHAPES[HUB_SHAPES[config.name]], four_bit=config.quantization is not None)
    loaded = _load_config(config)
    stored = vars(loaded).pop("quantization_config", None)
    return replace(shape_of(loaded), four_bit=bool(stored or config.quantization))


def is_local(config: ModelConfig) -> bool:
    """Return whether a model is on this machine, so that loading it downloads nothing."""
    from huggingface_hub import try_to_load_from_cache

    if config.name in BUILT_IN or Path(config.name).expanduser().is_dir():
        return True
    try:
        cached = try_to_load_from_cache(config.name, "config.json", revision=config.revision)
    except ValueError:  # the name is none that the Hub could have
        return False
    return isinstance(cached, str)


def _source(config: ModelConfig) -> str:
    if config.name == "micro":
        return str(files("verirank.models") / "micro")
    if config.name == "smollm2":
        from verirank.models._smollm2 import smollm2_folder

        return str(smollm2_folder())
    folder = Path(config.name).expanduser()
    if folder.is_dir():
        expect_model_folder(config.name, folder)
        return str(folder)
    if folder.is_absolute() or config.name.startswith(("./", "../", "~")):
        raise InputError(f"model folder {config.name!r} does not exist")
    expect_on_hub(config.name, config.revision)
    return config.name
