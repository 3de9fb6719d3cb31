"""Tuners and starts of peft that are no methods, and the checks that each fails on micro."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import peft
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from verirank.config import ModelConfig
from verirank.models import LINEARS, BaseModel, load_base

_ALL: list[str] = list(LINEARS)
_LM = {"task_type": "CAUSAL_LM"}


def _lora(**settings: Any) -> Callable[[], Any]:
    return lambda: LoraConfig(**_LM, r=8, target_modules=_ALL, **settings)


def _of(kind: str, **settings: Any) -> Callable[[], Any]:
    return lambda: getattr(peft, kind)(**_LM, **settings)


REFUSED: dict[str, Callable[[], Any]] = {
    "AdaMSS": _of("AdamssConfig", target_modules=_ALL),
    "Lily": _of("LilyConfig", target_modules=_ALL),
    "PVeRA": _of("PveraConfig", target_modules=_ALL),
    "Shadow": _of("ShadowConfig"),
    "UniLoRA": _of("UniLoraConfig", target_modules=_ALL),
    "VB-LoRA": _of("VBLoRAConfig", target_modules=_ALL, vector_length=64),
    "X-LoRA": _of("XLoraConfig", hidden_size=128, adapters={}),
    "Poly": _of("PolyConfig", target_modules=_ALL, n_tasks=1),
    "adaption prompt": _of("AdaptionPromptConfig", adapter_len=4, adapter_layers=2),
    "prompt tuning": _of("PromptTuningConfig", num_virtual_tokens=4),
    "multitask prompt tuning": _of("MultitaskPromptTuningConfig", num_virtual_tokens=4),
    "P-tuning": _of("PromptEncoderConfig", num_virtual_tokens=4),
    "prefix tuning": _of("PrefixTuningConfig", num_virtual_tokens=4),
    "CPT": _of("CPTConfig", cpt_token_ids=[2, 3], cpt_mask=[1, 1], cpt_tokens_type_mask=[1, 2]),
    "cartridge": _of("CartridgeConfig", num_virtual_tokens=4),
    "LoRA, KaSA": _lora(kasa_config=peft.tuners.lora.config.KasaConfig()),
    "LoRA, LoftQ": _lora(
        init_lora_weights="loftq", loftq_config={"loftq_bits": 4, "loftq_iter": 1}
    ),
    "LoRA, MonteCLoRA": _lora(monteclora_config=peft.tuners.lora.config.MontecloraConfig()),
    "LoRA, VeLoRA": _lora(velora_config=peft.tuners.lora.config.VeloraConfig()),
    "LoRA, activated (aLoRA)": _lora(alora_invocation_tokens=[2]),
}
"""By name, what makes peft's settings. What is plain LoRA with another draw is not here."""


def failures(build: Callable[[], Any]) -> list[str]:
    """Return the names of the conformance checks that a tuner fails on micro, and the reasons."""
    warnings.simplefilter("ignore")
    base = load_base(ModelConfig())
    base.model.config.use_cache = False  # as X-LoRA demands
    try:
        adapted = _built(base, build)
        _logits(adapted)
    except Exception as error:  # the reason is what is asked for
        return ["dispatch", _line(error)]
    found: dict[str, str] = {}
    if (gap := _gap(_logits(adapted), _logits(base.model))) > 1e-4:
        found["starts-at-base"] = f"logits off by {gap:.1e}"
    elif _weights(adapted) == _weights(_built(base, _lora())):
        return ["own-behaviour", "starts, and in evaluation mode computes, as plain LoRA"]
    try:
        in_training = _moved(_built(base, build).train())
        moved = _moved(adapted)
        if still := sum(int((in_training[n] & ~now).sum()) for n, now in moved.items()):
            numbers = sum(now.numel() for now in moved.values())
            found["own-behaviour"] = f"{still:,} of {numbers:,} numbers move in training mode alone"
        logits = _logits(adapted)
        # Last, because it writes into the base.
        if (gap := _gap(_logits(adapted.merge_and_unload()), logits)) > 1e-4:
            found["published-equals-forward"] = f"logits off by {gap:.1e}"
    except Exception as error:
        found["published-equals-forward"] = _line(error)
    return [", ".join(found), "; ".join(found.values())]


def _built(base: BaseModel, build: Callable[[], Any]) -> Any:
    """Return peft's model in evaluation mode, of the same draws every time."""
    torch.manual_seed(0)
    return get_peft_model(base.sharing_copy(), build()).eval()


def _weights(model: nn.Module) -> dict[str, float]:
    """Return the sums of LoRA's own factors, which tell whether they are the same draws."""
    named = model.named_parameters()
    return {n: float(p.detach().double().sum()) for n, p in named if "lora_" in n}


def _line(error: Exception) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    return said.replace("|", "/")[:160]


def _tokens() -> Tensor:
    return torch.randint(23, (4, 24), generator=torch.Generator().manual_seed(7))


@torch.no_grad()
def _logits(model: nn.Module) -> Tensor:
    return model(input_ids=_tokens()).logits[:, -24:]


def _gap(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


def _moved(model: nn.Module) -> dict[str, Tensor]:
    """Take three steps of AdamW; return which numbers of the trained tensors moved."""
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    start = {n: p.detach().clone() for n, p in trained.items()}
    optimizer = torch.optim.AdamW(trained.values(), lr=1e-2, weight_decay=0.0)
    for _ in range(3):
        optimizer.zero_grad()
        model(input_ids=_tokens()).logits.square().mean().backward()
        optimizer.step()
    now = dict(model.named_parameters())
    return {n: now[n] != tensor for n, tensor in start.items()}
