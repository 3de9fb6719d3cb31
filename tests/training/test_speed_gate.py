"""Ratios of speed that no change may lose: interleaved, medians, never seconds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from verirank.algorithms import Group
from verirank.config import ModelConfig, VerifierConfig, plugin_names, resolve
from verirank.models import LINEARS, BaseModel, load_base
from verirank.sampling import TransformersSampler
from verirank.training import Trainer
from verirank.verifier import Verifier

pytestmark = pytest.mark.slow
ROUNDS = 5


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(ModelConfig())


def rewarded(groups: Sequence[Group]) -> list[Group]:
    """Return groups of which half is rewarded, so that every completion trains."""
    return [
        replace(
            group,
            rewards=tuple(replace(r, value=float(n % 2)) for n, r in enumerate(group.rewards)),
        )
        for group in groups
    ]


def test_no_method_costs_much_more_than_lora(base: BaseModel) -> None:
    # A core's own seconds, which other work hardly moves, on the same completions for all.
    spent: dict[str, list[float]] = {name: [] for name in plugin_names("method")}
    with Verifier(VerifierConfig()) as verifier:
        trainers = {
            name: Trainer(
                resolve(
                    {
                        "method": {"name": name, "learning_rate": 1e-9},
                        "training": {"steps": ROUNDS + 1},
                    }
                ),
                base,
                TransformersSampler(base),
                verifier,
            )
            for name in spent
        }
        groups = rewarded(trainers["lora"].train_step().groups)
        for turn in range(ROUNDS + 1):
            for name, trainer in trainers.items():
                start = time.process_time()
                trainer.learn(groups)
                if turn:
                    spent[name].append(time.process_time() - start)
    lora = median(spent["lora"])
    ratios = {name: median(found) / lora for name, found in spent.items()}
    assert max(ratios.values()) < 1.4, ratios


def test_sampling_is_ahead_of_generate(base: BaseModel) -> None:
    sampler, tokenizer = TransformersSampler(base), base.tokenizer
    prompts = [f"({n}+7)*3-5=" for n in range(10, 26)]
    ids = tokenizer([p for p in prompts for _ in range(8)], return_tensors="pt", padding=True)
    ours, theirs = [], []
    for turn in range(ROUNDS):
        start = time.perf_counter()
        found = sampler.sample(
            prompts,
            [[1000 * turn + 8 * n + k for k in range(8)] for n in range(16)],
            temperature=1.0,
            max_new_tokens=48,
            stop=None,
        )
        tokens = sum(len(c.tokens) for group in found for c in group)
        ours.append(tokens / (time.perf_counter() - start))
        start = time.perf_counter()
        with torch.inference_mode():
            generated = base.model.generate(  # pyright: ignore[reportCallIssue]
                **ids, do_sample=True, top_k=0, max_new_tokens=48, pad_token_id=0
            )
        written = int((generated[:, ids.input_ids.shape[1] :] != 0).sum())
        theirs.append(written / (time.perf_counter() - start))
    assert median(ours) > 1.3 * median(theirs), (median(ours), median(theirs))


def test_training_is_ahead_of_plain_passes(base: BaseModel) -> None:
    config = resolve({"sampling": {"problems_per_step": 16}, "training": {"steps": 2 * ROUNDS}})
    sampler, ours, theirs = TransformersSampler(base), [], []
    with Verifier(VerifierConfig()) as verifier:
        trainer = Trainer(config, base, sampler, verifier)
        groups = rewarded(trainer.train_step().groups)
        plain = get_peft_model(
            load_base(ModelConfig()).model,
            LoraConfig(r=trainer.policy.config.model_dump()["rank"], target_modules=list(LINEARS)),
        )
        for turn in range(ROUNDS + 1):
            start = time.perf_counter()
            trainer.learn(groups)
            middle = time.perf_counter()
            plain_passes(plain, groups)
            if turn:
                ours.append(middle - start)
                theirs.append(time.perf_counter() - middle)
    assert median(theirs) > 1.6 * median(ours), (median(ours), median(theirs))


def plain_passes(model: Any, groups: Sequence[Group]) -> None:
    """Backpropagate as plain trainers do: 16 padded rows, each with its prompt, and all logits."""
    completions = [completion for group in groups for completion in group.completions]
    for first in range(0, len(completions), 16):
        rows = completions[first : first + 16]
        tokens = [torch.tensor([*c.prompt_tokens, *c.tokens]) for c in rows]
        ids_NL = nn.utils.rnn.pad_sequence(tokens, batch_first=True)
        inside_NL = nn.utils.rnn.pad_sequence(
            [torch.ones_like(t) for t in tokens], batch_first=True
        )
        logits = model(input_ids=ids_NL, attention_mask=inside_NL).logits[:, :-1]
        chosen = logits.float().log_softmax(-1).gather(2, ids_NL[:, 1:, None])[..., 0]
        (chosen * inside_NL[:, 1:]).sum().backward()
