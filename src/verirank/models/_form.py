"""Whether a model's attention and head have the form that the kernels compute."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import torch
from torch import nn

_ROUTERS = {"gate", "router", "shared_expert_gate", "modality_router", "indexer"}
"""Names of modules that choose experts or keys, or that hold the linear layer which does."""
_ROUNDING = 1e-4
"""Relative error of fp32 hidden states."""
_ROUNDING_OF_BF16 = 5e-2
"""Of logits, of which a deep model in bf16 errs by so much."""
_PROBED_LAYERS = 2
_CACHED = 6
"""Tokens that are read at once before the cache is probed."""
_OF_THE_MODEL = (*(AttributeError, TypeError, RuntimeError, ValueError), *(LookupError,))
"""What transformers' code raises of models that it cannot compute in a certain way."""
_SCALES = ("logits_scaling", "logit_scale", "final_logit_softcapping")


def unknown_form(model: Any, longest: int | None = None) -> str | None:
    """Return why a causal language model needs transformers' own forward pass, if it does.

    The kernels know full causal attention through transformers' attention interface, and a head
    that is one linear layer.

    Args:
        model: of transformers, not adapted yet.
        longest: the most tokens of any sequence, if that is known: a window that none reaches is
            full attention.

    Returns:
        A noun phrase for a message; None where the kernels serve the model.
    """
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"]) - {"full_attention"}
    windowed = window_of(config) is not None
    if longest is not None and longest <= (window_of(config) or 0):
        kinds, windowed = kinds - {"sliding_attention"}, False
    faults = {
        f"layers of type {', '.join(sorted(kinds))}": kinds,
        "sliding-window attention": windowed and not getattr(config, "layer_types", None),
        "soft-capped attention": getattr(config, "attn_logit_softcapping", None),
        "keys and values of different sizes": getattr(config, "kv_lora_rank", None),
        "ALiBi": getattr(config, "alibi", False) or config.model_type in ("bloom", "mpt"),
        "attention sinks": config.model_type == "gpt_oss",
        "attention outside transformers' attention interface": not _has_interface(model),
        "scaled or soft-capped logits": any(
            getattr(config, name, None) not in (None, 1, 1.0) for name in _SCALES
        ),
        "a head other than one linear layer": type(model.get_output_embeddings()) is not nn.Linear,
    }
    return next((fault for fault, is_there in faults.items() if is_there), None)


def window_of(config: Any) -> int | None:
    """Return how many tokens a sliding window holds, of a text configuration; None without one."""
    window = getattr(config, "sliding_window", None)
    return window if window and getattr(config, "use_sliding_window", True) else None


def _has_interface(model: Any) -> bool:
    decoder = model.get_decoder()
    return bool(model._supports_attention_backend) and hasattr(decoder, "layers")


@torch.no_grad()
def attends_packed(model: Any) -> bool:
    """Return whether packed attention gives a model's own hidden states on a few tokens.

    The first layers are probed in fp32: in bf16 rounding alone moves the hidden states of a deep
    model by as much as wrong attention would.

    Args:
        model: a shared copy, whose decoder is cut, cast and given other attention here;
            `unknown_form` has no objection to it.
    """
    from verirank.kernels import PACKED_ATTENTION, Packing, Sequences

    prompt, completions = [1, 2, 3, 4, 5], ([6, 7, 8], [3, 1, 9, 2])
    decoder, device = model.get_decoder(), model.device
    decoder.layers = decoder.layers[:_PROBED_LAYERS]
    rows = decoder.get_input_embeddings().weight[: 1 + max(map(max, (prompt, *completions)))]
    decoder.set_input_embeddings(nn.Embedding.from_pretrained(rows.float()))
    decoder.float()
    packed = Sequences.pack([(prompt, completions)])
    sequences = replace(
        packed, **{f.name: getattr(packed, f.name).to(device) for f in fields(packed)}
    )
    tokens = [torch.tensor([prompt + completion], device=device) for completion in completions]
    plain_MH = torch.cat([decoder(row, use_cache=False)[0][0, len(prompt) :] for row in tokens])
    model.set_attn_implementation(PACKED_ATTENTION)
    packing = Packing.of(sequences, by_products=True)
    try:
        packed_MH = decoder(
            input_ids=sequences.tokens_M[None],
            attention_mask=sequences.tokens_M.new_zeros((1, 1, 1, 1)),
            position_ids=sequences.positions_M[None],
            use_cache=False,
            packing=packing,
        )[0][0, len(prompt) :]
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError, ValueError):  # the layers compute their own attention
        return False
    tolerance = _ROUNDING * float(plain_MH.abs().max())
    off = float((packed_MH - plain_MH).abs().max())
    return packing.calls == len(decoder.layers) and off <= tolerance


@torch.no_grad()
def caches_exactly(model: Any) -> bool:
    """Return whether a model, token by token with its own cache, gives the logits of a whole pass.

    Args:
        model: of transformers; its cache is probed on a few tokens.
    """
    tokens = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 1, 2, 3]], device=model.device)
    whole = model(input_ids=tokens).logits[0, _CACHED - 1 :]
    try:
        output = model(input_ids=tokens[:, :_CACHED], use_cache=True)
        logits = [output.logits[0, -1]]
        for n in range(_CACHED, tokens.shape[1]):
            cache = {key: getattr(output, key) for key in [cache_key(model)]}
            output = model(input_ids=tokens[:, n : n + 1], use_cache=True, **cache)
            logits.append(output.logits[0, -1])
    except torch.OutOfMemoryError:
        raise
    except _OF_THE_MODEL:
        return False
    rounding = _ROUNDING if model.dtype == torch.float32 else _ROUNDING_OF_BF16
    off = float((torch.stack(logits) - whole).abs().max())
    return off <= rounding * float(whole.abs().max())


def cache_key(model: Any) -> str:
    """Return what a model calls its cache in its inputs and outputs."""
    return "cache_params" if hasattr(model, "backbone") else "past_key_values"


def why_untrainable(model: Any) -> str | None:
    """Return why a model's own forward or backward pass fails; None where both work.

    Args:
        model: a shared copy, of which the first decoder layer is given gradients here.
    """
    first = decoder_layers(model)[0].requires_grad_(True)
    tokens = torch.tensor([[1, 2, 3, 4, 5, 6], [2, 3, 4, 5, 6, 1]], device=model.device)
    try:
        model(input_ids=tokens).logits.log_softmax(-1)[..., 0].sum().backward()
    except torch.OutOfMemoryError:
        raise
    except _OF_THE_MODEL as error:
        return " ".join(str(error).split()) or type(error).__name__
    if all(parameter.grad is None for parameter in first.parameters()):
        return "no gradient reaches its first layer"
    return None


def decoder_layers(model: Any) -> nn.ModuleList:
    """Return the list of decoder layers of a causal language model, adapted or plain."""
    lists = [m for m in model.modules() if isinstance(m, nn.ModuleList)]
    return max(lists, key=lambda layers: sum(p.numel() for p in layers.parameters()))


def keep_distinct_layers(model: Any) -> None:
    """Leave one decoder layer of each form in a model, which is then of no use but to be looked at.

    Layers are of one form whose parameters have the same names and shapes.
    """
    layers, forms = decoder_layers(model), dict[tuple[Any, ...], nn.Module]()
    for layer in layers:
        form = tuple((name, p.shape) for name, p in layer.named_parameters())
        forms.setdefault(form, layer)
    del layers[:]
    layers.extend(forms.values())


def linears_of(model: nn.Module) -> dict[str, nn.Linear]:
    """Return the linear layers inside the decoder layers by name, but those that stay as they are.

    These are routers of experts, indexers of keys (DeepSeek V3.2), and layers whose weight the
    model reads instead of calling them. Conv1D and stacks of experts are among them once they are
    unfolded.
    """
    inside = {id(module) for module in decoder_layers(model).modules()}
    modules = dict(model.named_modules())
    # Mamba and Jamba multiply by the weight of `dt_proj` themselves.
    read = {name.removesuffix("x_proj") + "dt_proj" for name in modules if name.endswith(".x_proj")}
    return {
        name: module
        for name, module in modules.items()
        if isinstance(module, nn.Linear)
        and id(module) in inside
        and not _ROUTERS & set(name.split("."))
        and name not in read
    }


def norms_of(model: nn.Module) -> dict[str, nn.Module]:
    """Return the norm layers that have gains or biases, by name."""
    return {
        name: module
        for name, module in model.named_modules()
        if "norm" in type(module).__name__.lower() and next(module.parameters(), None) is not None
    }
