"""A base model is read once and never written to; everything else shares its storage."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from verirank.models._shape import ModelShape, shape_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class BaseModel:
    """The frozen model that every policy, reference and sampler of a trial starts from.

    `source` tells where the weights were read from, for the manifest.
    """

    name: str
    source: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @cached_property
    def shape(self) -> ModelShape:
        """The dimensions of the model."""
        return shape_of(self.model.config)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that the frozen weights are kept in."""
        return self.model.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are, and all that is computed from them."""
        return self.model.device

    def fingerprint(self) -> str:
        """Return the SHA-256 of all weights, read now."""
        return sha256_of(self.model.state_dict())

    def share(self) -> PreTrainedModel:
        """Return a new frozen model whose parameters use the base's storage.

        Whoever wants other weights replaces a parameter's `data`; nobody may write into it.
        """
        memo: dict[int, object] = {
            id(p): nn.Parameter(p.data, requires_grad=False) for p in self.model.parameters()
        }
        memo |= {id(b): b for b in self.model.buffers()}
        return copy.deepcopy(self.model, memo)


def sha256_of(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of every tensor's name, dtype, shape and bytes, in the order of names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().contiguous().flatten().view(torch.uint8).cpu().numpy().data)
    return digest.hexdigest()
