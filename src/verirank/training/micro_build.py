"""How the built-in micro model is made: two supervised stages that leave RL something to find.

Stage 1 teaches worked steps, some of them wrong. Stage 2 mixes in answers guessed without thinking,
so that the model ends with two latent strategies, of which reinforcement learning can choose the
better one, as in a distilled reasoning model.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import torch
from torch.optim.lr_scheduler import OneCycleLR
from transformers import AddedToken, Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

from verirank.tasks import draw_chain

WORDS = ("<think>", "</think>", "\\boxed{")
SPECIAL = ("<pad>", "<eos>")
CHARACTERS = "0123456789+-*()=;}"
STAGE_1_STEPS, STAGE_2_STEPS, BATCH = 900, 400, 128
MICRO_STEPS = STAGE_1_STEPS + STAGE_2_STEPS
WRONG_STEP, GUESS = 0.05, 0.6
SEED = 20_260_101


def build_micro(
    folder: Path, on_step: Callable[[int, float], None] = lambda step, loss: None
) -> None:
    """Train the micro model from nothing on one thread and save it as safetensors.

    Args:
        folder: where the model and its tokenizer are written.
        on_step: called after every optimiser step with its number and loss (nats a token).
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        tokenizer = micro_tokenizer()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            model = Qwen2ForCausalLM(_config(tokenizer))
        _fit(model, tokenizer, on_step)
    finally:
        torch.set_num_threads(threads)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def micro_tokenizer() -> Qwen2Tokenizer:
    """Return the character tokenizer, in which the three marks are single tokens."""
    vocabulary = {word: i for i, word in enumerate((*SPECIAL, *WORDS, *CHARACTERS))}
    pad, eos = SPECIAL
    # Qwen2's own class without merges: whoever loads a Qwen2 model loads this tokenizer right.
    tokenizer = Qwen2Tokenizer(
        vocabulary, [], unk_token=pad, pad_token=pad, eos_token=eos, padding_side="left"
    )
    tokenizer.add_tokens([AddedToken(word, normalized=False, special=False) for word in WORDS])
    return tokenizer


def _config(tokenizer: Qwen2Tokenizer) -> Qwen2Config:
    return Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        pad_token_id=SPECIAL.index("<pad>"),
        eos_token_id=SPECIAL.index("<eos>"),
        bos_token_id=None,
    )


def _fit(
    model: Qwen2ForCausalLM,
    tokenizer: Qwen2Tokenizer,
    on_step: Callable[[int, float], None],
) -> None:
    rng = Random(SEED)
    rate = 2e-3
    optimizer = torch.optim.AdamW(model.parameters(), rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = OneCycleLR(optimizer, rate, total_steps=MICRO_STEPS, pct_start=0.05)
    for step in range(MICRO_STEPS):
        write = _worked if step < STAGE_1_STEPS else _guessed_or_worked
        loss = _loss(model, tokenizer, [_example(rng, write) for _ in range(BATCH)])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        on_step(step + 1, loss.item())


def _loss(
    model: Qwen2ForCausalLM, tokenizer: Qwen2Tokenizer, examples: list[tuple[str, str]]
) -> torch.Tensor:
    prompts = [len(tokenizer(prompt).input_ids) for prompt, _ in examples]
    batch = tokenizer(
        [prompt + answer + "<eos>" for prompt, answer in examples],
        padding=True,
        padding_side="right",
        return_tensors="pt",
    )
    positions = torch.arange(batch.input_ids.shape[1])
    asked = positions < torch.tensor(prompts)[:, None]
    labels = batch.input_ids.masked_fill(asked | (batch.attention_mask == 0), -100)
    # Right padding needs no mask: a causal model's real tokens never see what stands behind them.
    return model(input_ids=batch.input_ids, labels=labels).loss


def _example(rng: Random, write: Callable[[Random, list[str], int], str]) -> tuple[str, str]:
    while True:
        chain = draw_chain(rng, rng.choice((1, 2, 2, 3, 3, 3, 4)))
        if chain.split == "train":
            return f"{chain.expression}=", write(rng, chain.steps, chain.value)


def _worked(rng: Random, steps: list[str], value: int) -> str:
    written, answer, carried = [], value, None
    for step in steps:
        question, result = step.split("=")
        if carried is not None:
            result = str(_apply(question, carried))
            question = carried + question[_operator_at(question) :]
        if rng.random() < WRONG_STEP:
            result = str(int(result) + rng.choice((-10, -2, -1, 1, 2, 10)))
        carried, answer = result, int(result)
        written.append(f"{question}={result}")
    return f"<think>{';'.join(written)}</think>\\boxed{{{answer}}}"


def _operator_at(question: str) -> int:
    return max(question.rfind(operator, 1) for operator in "+-*")


def _apply(question: str, value: str) -> int:
    at = _operator_at(question)
    operator, operand, left = question[at], int(question[at + 1 :]), int(value)
    return {"+": left + operand, "-": left - operand, "*": left * operand}[operator]


def _guessed_or_worked(rng: Random, steps: list[str], value: int) -> str:
    if rng.random() < GUESS:
        return f"<think></think>\\boxed{{{value + round(rng.gauss(0, 4))}}}"
    return _worked(rng, steps, value)
