"""Shapes of decoder-only models, which count parameters without any weights."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from verirank.kernels import keeps_as_llama
from verirank.models._form import linears_of, norms_of
from verirank.models._selection import LINEARS, expect_there, path_of, selects
from verirank.models._unfold import unfold

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_CLOSED_PATHS = tuple(f"{'self_attn' if name in LINEARS[:4] else 'mlp'}.{name}" for name in LINEARS)
"""Where the seven linear layers stand in a Llama-like block."""
_TOP_K = ("num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_topk", "moe_k")
"""What configurations call the number of experts that see a token."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a model's own modules count, for which there is no closed form.

    `linears` holds path (`path_of`), inputs, outputs and number of the linear layers of all decoder
    layers; `routed` the paths that stand for experts, of which a token sees the fraction `seen`.
    """

    parameters: int
    norm_gains: int
    linears: tuple[tuple[str, int, int, int], ...]
    routed: tuple[str, ...] = ()
    seen: float = 1.0


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The dimensions of a decoder: closed forms for Llama-like ones, `counted` for any other."""

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
    """Whether norms and MLPs compute what Llama's do, so that training saves less of them."""
    counted: Counted | None = None
    four_bit: bool = False
    """Whether the frozen linear layers are held in 4 bits; experts are not."""

    @property
    def linears(self) -> tuple[str, ...]:
        """The names of all linear layers of a decoder layer."""
        return tuple(dict.fromkeys(path.rpartition(".")[2] for path, *_ in self._kinds))

    @property
    def paths(self) -> set[str]:
        """Where the linear layers stand in their decoder layer (`path_of`)."""
        return {path for path, *_ in self._kinds}

    @property
    def _kinds(self) -> tuple[tuple[str, int, int, int], ...]:
        if self.counted is not None:
            return self.counted.linears
        return tuple((path, *self._sizes(path), self.layers) for path in _CLOSED_PATHS)

    def _sizes(self, path: str) -> tuple[int, int]:
        query, key = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "q_proj": (self.hidden, query),
            "k_proj": (self.hidden, key),
            "v_proj": (self.hidden, key),
            "o_proj": (query, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }[path.rpartition(".")[2]]

    def adapted(self, modules: tuple[str, ...]) -> Iterator[tuple[int, int]]:
        """Yield (in_features, out_features) of every adapted linear of every layer."""
        for _, inputs, outputs, number in self.by_name(modules):
            yield from repeat((inputs, outputs), number)

    def by_name(self, modules: tuple[str, ...]) -> Iterator[tuple[str, int, int, int]]:
        """Yield name, in_features, out_features and number of the adapted linears of a name."""
        expect_there(modules, (path for path, *_ in self._kinds))
        for path, inputs, outputs, number in self._kinds:
            if selects(modules, path):
                yield path.rpartition(".")[2], inputs, outputs, number

    @property
    def packed(self) -> int:
        """Number of weights that a base holds in 4 bits."""
        if not self.four_bit:
            return 0
        routed = self.counted.routed if self.counted else ()
        return sum(i * o * n for path, i, o, n in self._kinds if path not in routed)

    @property
    def multiplied(self) -> float:
        """Number of weights of linear layers that a token is multiplied by: of experts, its own."""
        counted = self.counted
        routed = counted.routed if counted else ()
        fraction = counted.seen if counted else 1.0
        return sum(i * o * n * (fraction if p in routed else 1) for p, i, o, n in self._kinds)

    @property
    def norm_gains(self) -> int:
        """Number of norm gains: two norms a block and the final one; Qwen3 norms heads, too."""
        if self.counted is not None:
            return self.counted.norm_gains
        heads = 2 * self.layers * self.head_dim if self.qk_norm else 0
        return (2 * self.layers + 1) * self.hidden + heads

    @property
    def parameters(self) -> int:
        """Number of parameters of the plain model; tied embeddings count once."""
        if self.counted is not None:
            return self.counted.parameters
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
"""Types of models that are Llama under another name, so that the closed forms hold."""


def shape_of(config: PretrainedConfig) -> ModelShape:
    """Return the shape of a model by its transformers configuration.

    Llama-like models have closed forms; of any other the modules are counted on torch's meta
    device.
    """
    biased = config.model_type != "qwen2" and getattr(config, "attention_bias", False)
    closed = config.model_type in _AS_LLAMA and config.hidden_act == "silu" and not biased
    if closed and not getattr(config, "mlp_bias", False):
        return _dimensions(config, llamas_layers=True, counted=None)
    from transformers import AutoModelForCausalLM

    # A class that came with a checkpoint was loaded with the user's consent.
    is_remote = type(config).__module__.startswith("transformers_modules")
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=is_remote)
    text = config.get_text_config()
    counted = counts_of(model, next((k for n in _TOP_K if (k := getattr(text, n, None))), 1))
    return _dimensions(model.config, llamas_layers=keeps_as_llama(model), counted=counted)


def counts_of(model: nn.Module, top_k: int = 1) -> Counted:
    """Count the modules of a causal language model, whose weights may be on the meta device.

    Args:
        model: is left as it is.
        top_k: how many experts of a stack see a token.
    """
    model = copy.deepcopy(model, {id(p): p for p in model.parameters()})
    parameters = sum(parameter.numel() for parameter in model.parameters())
    gains = sum(p.numel() for norm in norms_of(model).values() for p in norm.parameters())
    linear_of = unfold(model)
    stacked = [
        (n.removesuffix(".weight"), p.experts) for n, p in linear_of.items() if p.expert == 0
    ]
    linears = Counter(
        (path_of(name), module.in_features, module.out_features)
        for name, module in linears_of(model).items()
    )
    return Counted(
        parameters=parameters,
        norm_gains=gains,
        linears=tuple((*linear, number) for linear, number in linears.items()),
        routed=tuple(dict.fromkeys(path_of(name) for name, _ in stacked)),
        seen=min(1.0, top_k / stacked[0][1]) if stacked else 1.0,
    )


def _size(config: Any, name: str) -> int | None:
    """Return a size by its name in a configuration; None where it has none.

    Where layers differ, as Gemma 4's do in their heads, it is the largest.
    """
    if name in (getattr(config, "per_layer_attributes", None) or ()):
        return max(getattr(layer, name) for layer in config.per_layer_config)
    size = getattr(config, name, None)
    return max(size) if isinstance(size, (list, tuple)) else size


def _dimensions(config: Any, *, llamas_layers: bool, counted: Counted | None) -> ModelShape:
    text = config.get_text_config()
    heads = _size(text, "num_attention_heads") or 1
    return ModelShape(
        hidden=text.hidden_size,
        intermediate=_size(text, "intermediate_size") or 4 * text.hidden_size,
        layers=text.num_hidden_layers,
        heads=heads,
        kv_heads=_size(text, "num_key_value_heads") or heads,
        head_dim=_size(text, "head_dim") or text.hidden_size // heads,
        vocabulary=text.vocab_size,
        tied_embeddings=bool(config.tie_word_embeddings),
        qkv_bias=config.model_type == "qwen2",
        qk_norm=config.model_type == "qwen3",
        llamas_layers=llamas_layers,
        counted=counted,
    )
