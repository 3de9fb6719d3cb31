"""Completions of several turns: what a tool writes stands among the model's tokens, marked."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from served import FP32_NATS, NEEDS_VLLM, flat, seeds, trial

from verirank.config import ModelConfig, resolve
from verirank.models import BaseModel, load_base
from verirank.sampling import Completion, TransformersSampler, open_sampler, sample_all
from verirank.tasks import Task, load_task
from verirank.tasks.calculator import call_in

PROMPTS = ["12+7*3-5=", "(12+7)*3-5=", "9*4-30+12=", "59*5-18-28-7="]


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(ModelConfig(name="micro"))


def calculator(turns: int = 12) -> Task:
    return load_task(resolve({"task": {"name": "calculator", "turns": turns}}).task)


def sample(
    base: BaseModel, prompts: list[str], groups: list[list[int]], turns: int = 12, limit: int = 48
) -> list[list[Completion]]:
    return sample_all(
        *(TransformersSampler(base), prompts, groups),
        temperature=1.0,
        max_new_tokens=limit,
        stop="=",
        reply=calculator(turns).reply,
    )


def expect_answered(base: BaseModel, completions: list[Completion]) -> None:
    """Expect that the calculator's words, and they alone, are marked as replies."""
    assert sum(len(completion.replies) for completion in completions) > 8
    for completion in completions:
        assert completion.length == sum(completion.own) <= 48
        assert len(completion.own) == len(completion.tokens) == len(completion.logprobs)
        for start, end in completion.replies:
            before = str(base.tokenizer.decode(list(completion.tokens[:start])))
            assert base.tokenizer.decode(list(completion.tokens[start:end])) == call_in(before)
            assert completion.logprobs[start:end] == (0.0,) * (end - start)


@torch.no_grad()
def expect_plain_logprobs(base: BaseModel, completions: list[Completion], nats: float) -> None:
    """Expect own tokens to have the log-probabilities of a forward pass over replies too."""
    for completion in completions:
        tokens = torch.tensor([completion.prompt_tokens + completion.tokens])
        expected = base.model(tokens).logits[0].log_softmax(-1)[:-1].gather(1, tokens[0, 1:, None])
        plain = expected[len(completion.prompt_tokens) - 1 :, 0]
        own = torch.tensor(completion.own)
        torch.testing.assert_close(
            plain[own], torch.tensor(completion.logprobs)[own], atol=nats, rtol=0
        )


def test_every_call_is_answered_and_nothing_else_is_marked(base: BaseModel) -> None:
    expect_answered(base, flat(sample(base, PROMPTS, seeds(4, 4))))


def test_own_logprobs_are_those_of_a_forward_pass_over_replies_too(base: BaseModel) -> None:
    expect_plain_logprobs(base, flat(sample(base, PROMPTS, seeds(4, 2))), 2e-5)


def test_a_completion_is_the_same_to_the_bit_beside_others(base: BaseModel) -> None:
    together = sample(base, PROMPTS, seeds(4, 3))
    assert sample(base, PROMPTS[3:], seeds(4, 3)[3:]) == together[3:]


def test_limits_are_on_turns_and_on_the_tokens_that_the_model_draws(base: BaseModel) -> None:
    whole = flat(sample(base, PROMPTS, seeds(4, 4)))
    most = max(len(completion.replies) for completion in whole)
    assert most > 1
    for completion in flat(sample(base, PROMPTS, seeds(4, 4), turns=1)):
        assert len(completion.replies) <= 1
        if completion.text.endswith("="):
            assert not completion.truncated
    cut = flat(sample(base, PROMPTS, seeds(4, 4), limit=6))
    assert all(completion.length <= 6 for completion in cut)
    for short, long in zip(cut, whole, strict=True):
        assert short.truncated == (long.length > 6)
        assert long.text.startswith(short.text)


def test_without_calls_nothing_changes(base: BaseModel) -> None:
    sampler = TransformersSampler(base)
    draw = partial(sample_all, sampler, PROMPTS, max_new_tokens=24)
    drawn = draw(seeds(4, 2), temperature=1.0, stop=";")
    assert drawn == draw(seeds(4, 2), temperature=1.0, stop=";", reply=lambda text, turn: None)
    # An empty reply: the model goes on by itself, from another stream of random numbers.
    split = draw(seeds(4, 1), temperature=1e-6, stop=";", reply=lambda text, turn: "")
    whole = draw(seeds(4, 1), temperature=1e-6, stop=None)
    for one, other in zip(flat(split), flat(whole), strict=True):
        assert replace(one, logprobs=()) == replace(other, logprobs=())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
@NEEDS_VLLM[0]
def test_vllm_goes_on_behind_a_reply_as_well(base: BaseModel) -> None:
    draw = partial(sample_all, max_new_tokens=48, stop="=", reply=calculator().reply)
    # By itself the micro base seldom calls at its likeliest.
    begun = ["12+7*3-5=<think>7*3", "(12+7)*3-5=<think>12+7", "9*4-30+12=<think>9*4"]
    ours = flat(draw(TransformersSampler(base), begun, seeds(3, 1), temperature=1e-6))
    assert all(completion.replies for completion in ours)
    with open_sampler(trial("micro"), base) as sampler:
        theirs = flat(draw(sampler, begun, seeds(3, 1), temperature=1e-6))
        drawn = draw(sampler, PROMPTS, seeds(4, 4), temperature=1.0)
        again = draw(sampler, PROMPTS, seeds(4, 4), temperature=1.0)
    for one, other in zip(ours, theirs, strict=True):
        assert replace(one, logprobs=()) == replace(other, logprobs=())
    expect_answered(base, flat(drawn))
    expect_plain_logprobs(base, flat(drawn), FP32_NATS)
    assert [c.tokens for c in flat(again)] == [c.tokens for c in flat(drawn)]
