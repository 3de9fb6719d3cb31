"""What the tests of the vLLM sampler share: its settings, and what it is held against."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch

from verirank.config import MethodConfig, TrialConfig, override, resolve
from verirank.methods import Policy
from verirank.models import BaseModel
from verirank.sampling import Completion, sample_seed

NEEDS_VLLM = [
    pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed: make vllm"),
    pytest.mark.filterwarnings("ignore"),  # what vLLM imports warns of much
]
DRAW = {"temperature": 0.8, "max_new_tokens": 48, "stop": None}
GREEDY = {"temperature": 1e-6, "stop": None}
FP32_NATS = 1e-4
"""How far two fp32 implementations of a model may be apart on the log-probability of a token."""


def trial(model: str, *settings: str) -> TrialConfig:
    engine = ["sampling.sampler=vllm", f"sampling.vllm.kv_cache_memory_bytes={2**29}"]
    return resolve(override({}, [f"model.name={model}", *engine, *settings]))


def seeds(groups: int, samples: int) -> list[list[int]]:
    return [[sample_seed("test", p, g) for g in range(samples)] for p in range(groups)]


def flat(groups: list[list[Completion]]) -> list[Completion]:
    return [completion for group in groups for completion in group]


@torch.no_grad()
def gap(model: torch.nn.Module, completions: list[Completion], temperature: float) -> float:
    """Return the largest difference from a model's own log-probabilities, nats."""
    worst = 0.0
    for completion in completions:
        tokens = torch.tensor([completion.prompt_tokens + completion.tokens])
        logprobs = (model(tokens).logits[0].float() / temperature).log_softmax(-1)
        own = logprobs[:-1].gather(1, tokens[0, 1:, None])[len(completion.prompt_tokens) - 1 :, 0]
        worst = max(worst, (own - torch.tensor(completion.logprobs)).abs().max().item())
    return worst


def moved_policy(base: BaseModel, method: str) -> Policy:
    policy = Policy.create(base, MethodConfig(name=method), seed=1, total_steps=10)
    generator = torch.Generator().manual_seed(0)
    for parameter in policy.trainable().values():
        parameter.data += 0.03 * torch.randn(parameter.shape, generator=generator)
    return policy
