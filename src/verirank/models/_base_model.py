"""A base model is read once and never written to; everything else shares its storage."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from textwrap import shorten
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from verirank.config import InputError, ModelConfig
from verirank.models._form import (
    attends_packed,
    caches_exactly,
    unknown_form,
    why_untrainable,
    window_of,
)
from verirank.models._four_bit import FourBitLinear, PlainWeights, dequantise
from verirank.models._shape import ModelShape, shape_of
from verirank.models._unfold import Location, unfold

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Reader:
    """What reads prompts: a tokenizer, the most tokens that its model takes, and its embeddings."""

    tokenizer: PreTrainedTokenizerBase
    context: int | None
    embeddings: int


@dataclass(frozen=True)
class BaseModel:
    """The frozen model that every policy, reference and sampler of a trial starts from.

    `config` says how it was loaded, `source` where the weights were read from, for the manifest.
    `longest` bounds the tokens of every sequence, where that is known.
    """

    config: ModelConfig
    source: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    longest: int | None = None

    def __repr__(self) -> str:
        dtype = str(self.dtype).removeprefix("torch.")
        count = f"{self.model.num_parameters():,} parameters"
        return f"BaseModel({self.name!r}, {count}, {dtype} on {self.device})"

    @property
    def name(self) -> str:
        """The model's name: `micro`, `smollm2`, a folder, or a hub id, and the adapter in it."""
        merged = f" with {self.config.adapter}" if self.config.adapter else ""
        return self.config.name + merged

    @cached_property
    def shape(self) -> ModelShape:
        """The dimensions of the model."""
        shape = shape_of(self.model.config)
        return replace(shape, four_bit=True) if self.is_four_bit else shape

    @cached_property
    def form(self) -> str | None:
        """Why the model needs transformers' own forward pass; None where the kernels serve it."""
        reason = unknown_form(self.model, self.longest)
        if reason is None and not attends_packed(self.sharing_copy()):
            return "layers that do not use the attention they are given"
        return reason

    @cached_property
    def caches(self) -> bool:
        """Whether decoding with the model's own cache is exact; else texts are read anew."""
        return caches_exactly(self.model)

    def expect_trainable(self) -> None:
        """Refuse a model whose own forward or backward pass fails.

        Raises:
            InputError: it does; the message says why.
        """
        if self.form is not None and (why := why_untrainable(self.sharing_copy())) is not None:
            kind = self.model.config.model_type
            raise InputError(
                f"model {self.name!r} cannot be trained: transformers' own computation of {kind} "
                f"fails ({shorten(why.partition('. ')[0], 160, placeholder=' ...')}); use another "
                "model"
            )

    @property
    def context(self) -> int | None:
        """The most tokens that the model takes; None where it has no limit."""
        return context_of(self.model.config)

    @property
    def window(self) -> int | None:
        """The tokens that a sliding window holds; None where every layer sees all."""
        return window_of(self.model.config.get_text_config())

    @property
    def embeddings(self) -> int:
        """The number of tokens that the model has embeddings of."""
        return self.model.get_input_embeddings().weight.shape[0]  # type: ignore[union-attr,return-value]

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that the frozen weights are kept in."""
        return self.model.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are, and all that is computed from them."""
        return self.model.device

    @cached_property
    def weights(self) -> Mapping[str, Tensor]:
        """The model's parameters by name; of a 4-bit base dequantised whenever one is read."""
        return PlainWeights(self.model)

    @property
    def is_four_bit(self) -> bool:
        """Whether the linear layers hold their frozen weights in 4 bits."""
        return any(isinstance(module, FourBitLinear) for module in self.model.modules())

    def fingerprint(self) -> str:
        """Return the SHA-256 of all weights, read now; those in 4 bits are dequantised for it."""
        state = self.model.state_dict()
        packed = {name: self.weights[name] for name in self.weights if name not in state}
        return sha256_of(state | packed)

    def share_plain(self) -> PreTrainedModel:
        """Return what `share` returns, with plain linear layers in the place of 4-bit ones."""
        model = self.sharing_copy()
        dequantise(model)
        return model

    @cached_property
    def locations(self) -> dict[str, Location]:
        """Where the weights of unfolded layers stand in the model, by their unfolded names."""
        return self._unfolded[1]

    @property
    def unfolded(self) -> PreTrainedModel:
        """The model with Conv1D and experts as linear layers over its own storage (`unfold`)."""
        return self._unfolded[0]

    @cached_property
    def _unfolded(self) -> tuple[PreTrainedModel, dict[str, Location]]:
        model = self.sharing_copy()
        return model, unfold(model)

    def unfolded_copy(self) -> PreTrainedModel:
        """Return what `share` returns, with Conv1D and experts as linear layers (`unfold`)."""
        model = self.sharing_copy()
        unfold(model)
        return model

    def sharing_copy(self) -> PreTrainedModel:
        """Return a new frozen model whose parameters use the base's storage.

        To change weights, replace a parameter's `data`; never write into it.
        """
        memo: dict[int, object] = {
            id(p): nn.Parameter(p.data, requires_grad=False) for p in self.model.parameters()
        }
        memo |= {id(b): b for b in self.model.buffers()}
        return copy.deepcopy(self.model, memo)


def context_of(config: PretrainedConfig) -> int | None:
    """Return the most tokens that a model takes; None where it has no limit.

    Where the angles of rope change with the length of what is read (longrope), it is the length up
    to which they do not: beyond it a token's keys would depend on what is read after it.
    """
    text = config.get_text_config()
    longest = getattr(text, "max_position_embeddings", None) or getattr(text, "max_seq_len", None)
    rope = getattr(text, "rope_parameters", None) or {}
    if rope.get("rope_type") == "longrope":
        own = getattr(text, "original_max_position_embeddings", None)
        return rope.get("original_max_position_embeddings") or own or longest
    return longest


def sha256_of(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of every tensor's name, dtype, shape and bytes, in the order of names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().contiguous().flatten().view(torch.uint8).cpu().numpy().data)
    return digest.hexdigest()
