"""Completions from a policy, and publishing weights to whoever samples them."""

from verirank.sampling._cache_bytes import VLLM_CPU_CACHE_BYTES, cache_bytes, most_rows
from verirank.sampling._completion import Completion, Published, Sampler
from verirank.sampling._open import expect_sampler, open_sampler
from verirank.sampling._seeds import sample_seed
from verirank.sampling._transformers import TransformersSampler

__all__ = [
    "VLLM_CPU_CACHE_BYTES",
    "Completion",
    "Published",
    "Sampler",
    "TransformersSampler",
    "cache_bytes",
    "expect_sampler",
    "most_rows",
    "open_sampler",
    "sample_seed",
]
