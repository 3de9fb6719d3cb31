"""Fast forward and backward passes, each beside the plain formula that it must equal."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from verirank.kernels._head import HEAD_ROWS, chosen_logprobs, plain_chosen_logprobs
from verirank.kernels._layers import fuse_layers, keeps_as_llama, plain_gate, plain_rms_norm
from verirank.kernels._low_rank import (
    low_rank_linear,
    low_rank_row_norms,
    plain_low_rank_linear,
    plain_row_norms,
    plain_scaled_outputs,
    scaled_outputs,
)
from verirank.kernels._prepacked import PACKED_FROM, PackedLinear, pack_linears
from verirank.kernels._sequences import Sequences

if TYPE_CHECKING:
    from verirank.kernels._attention import PACKED_ATTENTION, Packing
    from verirank.kernels._decode_cache import (
        DECODE_ATTENTION,
        DecodeCache,
        in_blocks,
        plain_decode_attention,
    )

__all__ = [
    "DECODE_ATTENTION",
    "HEAD_ROWS",
    "PACKED_ATTENTION",
    "PACKED_FROM",
    "DecodeCache",
    "PackedLinear",
    "Packing",
    "Sequences",
    "chosen_logprobs",
    "fuse_layers",
    "in_blocks",
    "keeps_as_llama",
    "low_rank_linear",
    "low_rank_row_norms",
    "pack_linears",
    "plain_chosen_logprobs",
    "plain_decode_attention",
    "plain_gate",
    "plain_low_rank_linear",
    "plain_rms_norm",
    "plain_row_norms",
    "plain_scaled_outputs",
    "scaled_outputs",
]

_LOADS_TRANSFORMERS = {
    "PACKED_ATTENTION": "_attention",
    "Packing": "_attention",
    "DECODE_ATTENTION": "_decode_cache",
    "DecodeCache": "_decode_cache",
    "in_blocks": "_decode_cache",
    "plain_decode_attention": "_decode_cache",
}


def __getattr__(name: str) -> Any:
    if name in _LOADS_TRANSFORMERS:  # plans and reports need none of them
        return getattr(import_module(f"verirank.kernels.{_LOADS_TRANSFORMERS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
