"""Memory of a trial at its peak."""

from __future__ import annotations

from dataclasses import dataclass

from verirank.config import TrialConfig
from verirank.methods import create_method
from verirank.models import LINEARS, ModelShape
from verirank.planning._work import Lengths, trained_tokens

_BYTES = {"float32": 4, "bfloat16": 2}
HEAD_ROWS = 256
"""Tokens whose logits exist at the same time in training."""
_PROCESS = 500e6
"""What Python with torch and transformers takes by itself, in bytes."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes at the peak of a trial, by what they are for."""

    base: float
    served: float
    trained: float
    activations: float
    cache: float
    process: float = _PROCESS

    @property
    def total(self) -> float:
        """The larger of training's and sampling's peak: they do not happen together."""
        lasting = self.base + self.served + self.trained + self.process
        return lasting + max(self.activations, self.cache)


def memory_of(config: TrialConfig, shape: ModelShape, lengths: Lengths) -> Memory:
    """Return a trial's memory on one device.

    The base in its dtype; the served copy of the weights that the method changes; 16 bytes a
    trained number (itself, gradient and two moments of AdamW, in fp32); the activations of one
    micro-batch that the backward pass needs, which are 8 H + 3 (H_q + 2 H_k) + 4 I numbers a token
    and layer (with gradient checkpointing H, and the others of one layer), with the logits of 256
    tokens; or, in sampling, the cache of keys and values and the last logits.
    """
    method = create_method(config.method)
    width = _BYTES[config.model.dtype]
    trained = method.count(shape)
    query, key = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    longest = lengths.prompt + lengths.completion
    prompts, group = config.sampling.problems_per_step, config.sampling.group_size
    written = prompts * group * lengths.completion
    batch = trained_tokens(config, lengths)
    tokens = min(max(config.training.micro_batch_tokens, longest), batch)
    numbers = 8 * shape.hidden + 3 * (query + 2 * key) + 4 * shape.intermediate
    kept_a_token = numbers * shape.layers
    if config.machine.gradient_checkpointing:
        kept_a_token = shape.hidden * shape.layers + numbers
    logits = min(HEAD_ROWS, tokens, written) * shape.vocabulary * 4 * 3
    rows = prompts * group
    kept = rows * longest * shape.layers * 2 * key * width + rows * shape.vocabulary * 4 * 2
    return Memory(
        base=shape.parameters * width,
        served=_served(config, shape) * width,
        trained=16 * trained,
        activations=tokens * kept_a_token * width + logits,
        cache=kept,
    )


def _served(config: TrialConfig, shape: ModelShape) -> int:
    """Return how many weights the sampler holds beside the base's."""
    if config.method.name == "full":
        return shape.parameters
    if config.method.name == "ln-tuning":
        return shape.norm_gains
    return sum(i * o for i, o in shape.adapted(LINEARS))
