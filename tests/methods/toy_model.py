"""A small random Qwen2 with biases and uneven norms, and training steps on it."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from verirank.config import TrainingConfig
from verirank.methods import Policy

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
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)


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
