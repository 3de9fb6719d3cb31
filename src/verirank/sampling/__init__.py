"""Completions from a policy, and publishing weights to whoever samples them."""

from typing import TYPE_CHECKING, Any

from verirank.sampling._ahead import problems_needed
from verirank.sampling._completion import (
    Completion,
    Finished,
    Order,
    Orders,
    Published,
    Reply,
    Sampler,
)
from verirank.sampling._memory import VLLM_CPU_CACHE_BYTES, cache_bytes, most_rows
from verirank.sampling._open import expect_sampler, open_sampler
from verirank.sampling._sample_all import sample_all
from verirank.sampling._seeds import sample_seed
from verirank.sampling._stoppable import SamplingStoppedError, StoppableSampler

if TYPE_CHECKING:
    from verirank.sampling._transformers import TransformersSampler

__all__ = [
    "VLLM_CPU_CACHE_BYTES",
    "Completion",
    "Finished",
    "Order",
    "Orders",
    "Published",
    "Reply",
    "Sampler",
    "SamplingStoppedError",
    "StoppableSampler",
    "TransformersSampler",
    "cache_bytes",
    "expect_sampler",
    "most_rows",
    "open_sampler",
    "problems_needed",
    "sample_all",
    "sample_seed",
]


def __getattr__(name: str) -> Any:
    if name == "TransformersSampler":  # loads transformers, of which planning needs nothing
        from verirank.sampling._transformers import TransformersSampler

        return TransformersSampler
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
