"""Completions from a policy, and publishing weights to whoever samples them."""

from verirank.sampling._completion import Completion, Published, Sampler
from verirank.sampling._open import expect_sampler, open_sampler
from verirank.sampling._seeds import sample_seed
from verirank.sampling._transformers import TransformersSampler

__all__ = [
    "Completion",
    "Published",
    "Sampler",
    "TransformersSampler",
    "expect_sampler",
    "open_sampler",
    "sample_seed",
]
