"""Shapes of decoder-only models, so that parameters can be counted without any weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PretrainedConfig

LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The seven linear layers of a Llama-like block: the default modules of every method."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The dimensions that decide every parameter count of a Llama-like decoder."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied_embeddings: bool
    qkv_bias: bool
    qk_norm: bool
    llamas_layers: bool = True
    """Whether norms and MLPs compute what Llama's do, so that training keeps less of them."""

    def linear(self, name: str) -> tuple[int, int]:
        """Return (in_features, out_features) of one of the seven linears."""
        query, key = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "q_proj": (self.hidden, query),
            "k_proj": (self.hidden, key),
            "v_proj": (self.hidden, key),
            "o_proj": (query, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }[name]

    def adapted(self, modules: tuple[str, ...]) -> Iterator[tuple[int, int]]:
        """Yield (in_features, out_features) of every adapted linear of every layer."""
        for _ in range(self.layers):
            for name in modules:
                yield self.linear(name)

    @property
    def norm_gains(self) -> int:
        """Number of norm gains: two norms a block and the final one; Qwen3 norms heads, too."""
        heads = 2 * self.layers * self.head_dim if self.qk_norm else 0
        return (2 * self.layers + 1) * self.hidden + heads

    @property
    def parameters(self) -> int:
        """Number of parameters of the plain model; tied embeddings count once."""
        linears = sum(i * o for i, o in self.adapted(LINEARS))
        query, key = self.heads * self.head_dim, self.kv_heads * self.head_dim
        biases = self.layers * (query + 2 * key) if self.qkv_bias else 0
        embeddings = self.vocabulary * self.hidden * (1 if self.tied_embeddings else 2)
        return linears + biases + embeddings + self.norm_gains


SHAPES = {
    "qwen2-1.5b": ModelShape(1536, 8960, 28, 12, 2, 128, 151_936, False, True, False),
    "qwen2-7b": ModelShape(3584, 18_944, 28, 28, 4, 128, 152_064, False, True, False),
}
"""DeepSeek-R1-Distill-Qwen-1.5B and -7B, which leave input and output embeddings untied."""


HUB_SHAPES = {
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B": "qwen2-1.5b",
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": "qwen2-7b",
}
"""Models of the Hub whose shape is known without asking it."""


_AS_LLAMA = ("llama", "mistral", "qwen2", "qwen3", "smollm3")
"""Types of models whose norms and MLPs are Llama's under another name."""


def shape_of(config: PretrainedConfig) -> ModelShape:
    """Read the shape out of a Llama, Qwen2 or Qwen3 transformers configuration."""
    heads = config.num_attention_heads
    return ModelShape(
        hidden=config.hidden_size,
        intermediate=config.intermediate_size,
        layers=config.num_hidden_layers,
        heads=heads,
        kv_heads=config.num_key_value_heads,
        head_dim=getattr(config, "head_dim", None) or config.hidden_size // heads,
        vocabulary=config.vocab_size,
        tied_embeddings=bool(config.tie_word_embeddings),
        qkv_bias=config.model_type == "qwen2" or bool(getattr(config, "attention_bias", False)),
        qk_norm=config.model_type == "qwen3",
        llamas_layers=config.model_type in _AS_LLAMA and config.hidden_act == "silu",
    )
