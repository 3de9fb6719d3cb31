"""A small random Qwen2 with biases and uneven norms, steps on it, and a mixture of experts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2MoeConfig,
    Qwen2MoeForCausalLM,
)

from verirank.config import ModelConfig, TrainingConfig
from verirank.methods import Policy
from verirank.models import load_base

VOCABULARY = 26
TOTAL_STEPS = 12


def write_toy_model(folder: Path) -> None:
    """Write a model on whose down projections a rank of 32 does not divide the inputs."""
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=336,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        max_position_embeddings=64,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Qwen2ForCausalLM(config)
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.data += 0.1 * torch.randn_like(parameter)
            else:
                parameter.data *= 3
    model.save_pretrained(folder)
    letters = {chr(97 + place): place for place in range(VOCABULARY)}
    tokenizer = Tokenizer(WordLevel(letters, unk_token="a"))
    special = {"unk_token": "a", "pad_token": "a", "eos_token": "b"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)


def optimizer_of(policy: Policy, rate: float = 1e-3) -> torch.optim.Optimizer:
    return policy.optimizer(TrainingConfig(), rate)


def backward(policy: Policy, step: int) -> None:
    """Leave the gradients of a step-dependent loss, as training does before the optimiser."""
    generator = torch.Generator().manual_seed(step)
    tokens_NT = torch.randint(VOCABULARY, (4, 12), generator=generator)
    with policy.autocast():
        logits_NTV = policy.model(input_ids=tokens_NT).logits
    logprobs_NT = logits_NTV[:, :-1].float().log_softmax(-1)
    chosen_NT = logprobs_NT.gather(-1, tokens_NT[:, 1:, None]).squeeze(-1)
    advantages_N = torch.tensor([1.0, -1.0, 1.0, -1.0])
    (-(advantages_N[:, None] * chosen_NT).mean()).backward()


def take_steps(policy: Policy, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        optimizer.zero_grad()
        backward(policy, step)
        policy.update(optimizer, step, max_norm=1.0)


def save_mixture(folder: Path, *, chooses: bool) -> ModelConfig:
    """Save a mixture of eight experts, whose router chooses two or always sends to the same two."""
    sizes: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48}
    sizes |= {"num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2}
    sizes |= {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
    sizes |= {"shared_expert_intermediate_size": 24}
    micro = load_base(ModelConfig())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = Qwen2MoeConfig(**sizes, vocab_size=micro.shape.vocabulary)
        model = Qwen2MoeForCausalLM(config)
    for name, parameter in model.named_parameters():
        if name.endswith("mlp.gate.weight") and not chooses:
            parameter.data.zero_()
    model.save_pretrained(folder)
    micro.tokenizer.save_pretrained(folder)
    return ModelConfig(name=str(folder))
