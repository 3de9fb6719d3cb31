"""Ratios of speed that no change may lose: interleaved, medians, never seconds."""

from __future__ import annotations

import time
from statistics import median

import pytest
import torch

from verirank.config import ModelConfig, VerifierConfig, resolve
from verirank.models import BaseModel, load_base
from verirank.sampling import TransformersSampler
from verirank.training import Trainer
from verirank.verifier import Verifier

pytestmark = pytest.mark.slow
ROUNDS = 5


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(ModelConfig())


def test_no_method_costs_much_more_than_lora(base: BaseModel) -> None:
    methods = ("lora", "dora", "full", "vera", "miss")
    with Verifier(VerifierConfig()) as verifier:
        trainers = {
            name: Trainer(
                resolve({"method": {"name": name}, "training": {"steps": ROUNDS + 1}}),
                base,
                TransformersSampler(base),
                verifier,
            )
            for name in methods
        }
        seconds: dict[str, list[float]] = {name: [] for name in methods}
        for turn in range(ROUNDS + 1):
            for name, trainer in trainers.items():
                metrics = trainer.train_step().metrics
                if turn:
                    tokens = float(metrics["groups_used"] or 1)
                    seconds[name].append(float(metrics["seconds_train"] or 0) / tokens)
    lora = median(seconds["lora"])
    ratios = {name: median(found) / lora for name, found in seconds.items()}
    assert max(ratios.values()) < 1.8, ratios


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
    assert median(ours) > 1.2 * median(theirs), (median(ours), median(theirs))
