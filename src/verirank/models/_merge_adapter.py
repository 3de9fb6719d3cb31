"""A trained adapter merged into a base model in memory, before anything else sees the base."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from verirank.config import InputError
from verirank.models._adapter_folder import StoredAdapter, folder_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def merge_adapter(model: PreTrainedModel, adapter: StoredAdapter) -> PreTrainedModel:
    """Return a model with an adapter of peft merged into its weights in fp32.

    Args:
        model: in fp32; is changed in memory, never on disk.
        adapter: what is merged; peft reads its folder by its own rules.

    Raises:
        InputError: the adapter does not fit the model, lacks weights or has others, or is of a kind
            that has no merged weights.
    """
    from peft import PeftModel
    from safetensors import SafetensorError

    adapter.expect_base(model)
    adapted_embeddings = [key for key in adapter.tensors if "lora_embedding" in key]
    if adapted_embeddings and model.config.get_text_config().tie_word_embeddings:
        raise InputError(
            f"adapter {adapter.name!r} adapts embeddings ({adapted_embeddings[0]}) to which the "
            "model's head is tied: peft would merge it into both"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            adapted = PeftModel.from_pretrained(model, str(folder_of(adapter.name)))
            adapter.expect_tensors_of(adapted)
            merged: Any = adapted.merge_and_unload(safe_merge=True)  # type: ignore[operator]
    except InputError:
        raise
    except (
        *(OSError, ValueError, KeyError, RuntimeError, TypeError),
        *(AttributeError, NotImplementedError, SafetensorError),
    ) as error:
        reason = " ".join(str(error).split())[:300] or "peft gives no reason"
        raise InputError(f"adapter {adapter.name!r} cannot be merged: {reason}") from error
    return merged
