"""Memory of a trial at its peak."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from verirank.config import TrialConfig
from verirank.kernels import HEAD_ROWS, PACKED_FROM
from verirank.methods import create_method
from verirank.models import LINEARS, ModelShape
from verirank.planning._gpus import GPU
from verirank.planning._work import Lengths, trained_tokens, written_tokens
from verirank.sampling import VLLM_CPU_CACHE_BYTES, cache_bytes, most_rows

_BYTES = {"float32": 4, "bfloat16": 2}
_FOUR_BITS = 0.5 + 4 / 64
"""Bytes of a weight in 4 bits, with its part of the fp32 scale that 64 share."""
_PROCESS = 500e6
"""What Python with torch and transformers takes by itself, in bytes."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes at the peak of a trial, by what they are for.

    `served` is what the sampler holds all the time, `cache` what it holds while it samples, `start`
    what a method holds while it makes its start of data.
    """

    base: float
    served: float
    trained: float
    activations: float
    cache: float
    start: float = 0.0
    process: float = _PROCESS

    @property
    def total(self) -> float:
        """The largest of training's, sampling's and the start's: they do not happen together."""
        lasting = self.base + self.served + self.process
        return lasting + max(self.trained + max(self.activations, self.cache), self.start)


def memory_of(
    config: TrialConfig, shape: ModelShape, lengths: Lengths, on: GPU | None = None
) -> Memory:
    """Return a trial's memory on one device.

    The base in its dtype, or its linear layers in 4 bits, which the transformers sampler serves
    dequantised. Of a trained number 16 bytes (itself, gradient and two moments of AdamW, in fp32;
    12 with the one of SGD or Muon), and over a base of 2 bytes another 2, as autocast keeps what it
    has cast until the backward pass. In training the activations of one micro-batch
    (`_activations`), or on a GPU, if that is more, what AdamW works with on all tensors at once, 4
    bytes a trained number.

    The transformers sampler holds the weights that the method changes, on a CPU large matrices in
    any case, and, while it samples, keys and values of as many samples as it decodes side by side
    with their last logits. vLLM holds all weights and its own cache (`_engine`) at all times, with
    `enable_sleep_mode` while it samples.

    A start from data takes what the method holds (`Method.start_numbers`) in 4 bytes each, and the
    activations of a micro-batch; a forward pass only those of one layer at a time (`_passing`).

    Args:
        config: the trial.
        shape: the model's.
        lengths: the longest prompt and completion, tokens.
        on: the GPU; None stands for a CPU.
    """
    width = _BYTES[config.model.dtype]
    trained = create_method(config.method).count(shape)
    activations = _activations(config, shape, lengths, width, on)
    served, cache = _transformers(config, shape, lengths, width, on)
    if config.sampling.sampler == "vllm":
        engine = _engine(config, shape, lengths, width, on)
        served, cache = (0.0, engine) if config.sampling.vllm.enable_sleep_mode else (engine, 0.0)
    kept = 16 if config.training.optimizer == "adamw" else 12
    method = create_method(config.method)
    passing = _passing(config, shape, lengths, width) if method.start_pass == "forward" else 0.0
    begins = activations if method.start_pass == "backward" else passing
    return Memory(
        base=(shape.parameters - shape.packed) * width + shape.packed * _FOUR_BITS,
        served=served,
        trained=(kept + (width if width < 4 else 0)) * trained,
        activations=max(activations, 4.0 * trained if on else 0.0),
        cache=cache,
        start=begins + 4.0 * method.start_numbers(shape),
    )


def _activations(
    config: TrialConfig, shape: ModelShape, lengths: Lengths, width: int, on: GPU | None
) -> float:
    """Return the bytes that the backward pass of one micro-batch needs.

    `_saved` numbers a token and layer; with gradient checkpointing H, and the others of one layer.
    Besides what passes (`_passing`), on a GPU what fused attention needs (`_fused_attention`), and
    in full fine-tuning the gradient of the head, once in fp32 and once in the base's dtype where
    that is another.
    """
    tokens = _tokens(config, lengths)
    numbers = _saved(config, shape, width)
    saved_a_token = numbers * shape.layers
    if config.machine.gradient_checkpointing:
        saved_a_token = shape.hidden * shape.layers + numbers
    head = 0
    if create_method(config.method).trains_base:
        head = shape.vocabulary * shape.hidden * (4 + (width if width < 4 else 0))
    fused = _fused_attention(tokens, shape, lengths, width, on) if on else 0
    passing = _passing(config, shape, lengths, width)
    return tokens * saved_a_token * width + passing + fused + head


def _passing(config: TrialConfig, shape: ModelShape, lengths: Lengths, width: int) -> float:
    """Return the bytes that come and go as a micro-batch passes through the model.

    Of one layer at a time two numbers a token as wide as the MLP and two as wide as the model,
    which are gradients in a backward pass; and the logits of 256 tokens.
    """
    tokens = _tokens(config, lengths)
    rows = min(HEAD_ROWS, tokens, written_tokens(config, lengths))
    layer = tokens * 2 * (shape.intermediate + shape.hidden) * width
    return layer + rows * shape.vocabulary * 4 * 3


def _tokens(config: TrialConfig, lengths: Lengths) -> int:
    """Return the most tokens of a micro-batch."""
    longest, batch = lengths.prompt + lengths.completion, trained_tokens(config, lengths)
    return min(max(config.training.micro_batch_tokens, longest), batch)


def _saved(config: TrialConfig, shape: ModelShape, width: int) -> int:
    """Return how many numbers of the base's dtype a layer saves of a token for the backward pass.

    Where layers are Llama's, 4 H (the inputs of both norms and what they return), 2 (H_q + H_k)
    (queries, keys, values and attention's output, and each head's norm H_q + H_k more) and 3 I
    (gate, up and their product): `tests/training/test_saved_activations.py` holds it against what
    autograd saves. Full fine-tuning saves more of norms, above all where autocast casts what they
    return for every linear anew. Of other layers a bound: 8 H + 3 (H_q + 2 H_k) + 4 I. The method
    adds what it saves besides.
    """
    query, key = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    method = create_method(config.method)
    casts = method.trains_base and width < 4
    if shape.llamas_layers:
        hidden, norms = (14, 3) if casts else (6, 2) if method.trains_base else (4, 1)
        attention = (2 + (norms if shape.qk_norm else 0)) * (query + key)
        intermediate = 3
    else:
        hidden, attention, intermediate = 14 if casts else 8, 3 * (query + 2 * key), 4
    numbers = hidden * shape.hidden + attention + intermediate * shape.intermediate
    return numbers + method.kept_activations(shape)


def _fused_attention(
    tokens: int, shape: ModelShape, lengths: Lengths, width: int, on: GPU
) -> float:
    """Return the bytes that one layer's fused attention needs in its backward pass on a GPU.

    Every completion is a row behind its prompt. Four times the queries of these rows in the base's
    dtype: queries and outputs, and gradients of keys and values for each head of queries. The
    gradient of the queries is summed in fp32, in as many parts as it takes for rows and heads to
    fill the multiprocessors, where the order of adding is to be the same every time
    (FlashAttention's `dq_accum`).
    """
    rows = max(1, (tokens - lengths.prompt) // max(1, lengths.completion))
    parts = ceil(on.multiprocessors / (rows * shape.heads))
    queries = rows * (lengths.prompt + lengths.completion) * shape.heads * shape.head_dim
    return queries * (4 * parts + 4 * width)


def _transformers(
    config: TrialConfig, shape: ModelShape, lengths: Lengths, width: int, on: GPU | None
) -> tuple[float, float]:
    """Return the bytes of what the transformers sampler holds always, and while it samples."""
    longest = lengths.prompt + lengths.completion
    samples = config.sampling.problems_per_step * config.sampling.group_size
    rows = min(samples, most_rows(shape, longest, width))
    cache = rows * (cache_bytes(shape, longest, width) + shape.vocabulary * 4 * 2)
    packed = 0 if on else _packed(config, shape)
    return (_served(config, shape) + packed) * width, cache


def _engine(
    config: TrialConfig, shape: ModelShape, lengths: Lengths, width: int, on: GPU | None
) -> float:
    """Return the bytes of vLLM's weights and cache.

    On a GPU it takes `gpu_memory_utilization` of all its memory, into which its weights and the
    cache of one sample have to fit; unless told the cache's bytes.
    """
    vllm = config.sampling.vllm
    weights = shape.parameters * width / vllm.tensor_parallel_size
    if on is None or vllm.kv_cache_memory_bytes:
        return weights + (vllm.kv_cache_memory_bytes or VLLM_CPU_CACHE_BYTES)
    longest = vllm.max_model_len or lengths.prompt + lengths.completion
    least = weights + cache_bytes(shape, longest, width) / vllm.tensor_parallel_size
    return max(vllm.gpu_memory_utilization * on.memory_bytes, least)


def _served(config: TrialConfig, shape: ModelShape) -> int:
    """Return how many weights the sampler holds beside the base's; of a 4-bit base all."""
    if shape.four_bit:
        return shape.parameters
    serves = create_method(config.method).serves
    if serves == "all":
        return shape.parameters
    if serves == "norms":
        return shape.norm_gains
    return sum(i * o for i, o in shape.adapted(LINEARS))


def _packed(config: TrialConfig, shape: ModelShape) -> int:
    """Return the weights that the sampler of a CPU holds packed and that no method has changed.

    What a method changes is packed in its own place, but for the head that is the embeddings, too.
    """
    serves, unchanged = create_method(config.method).serves, list[int]()
    if serves != "all" or shape.tied_embeddings:
        unchanged.append(shape.vocabulary * shape.hidden)
    if serves == "norms":
        unchanged += [i * o for i, o in shape.adapted(LINEARS)]
    return sum(numbers for numbers in unchanged if numbers >= PACKED_FROM)
