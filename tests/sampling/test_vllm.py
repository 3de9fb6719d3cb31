"""The vLLM sampler: the transformers sampler's contract, kept by a real engine on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from served import DRAW, FP32_NATS, GREEDY, NEEDS_VLLM, flat, gap, moved_policy, seeds, trial

from verirank.config import CONTENDERS, InputError
from verirank.models import BaseModel, load_base
from verirank.sampling import (
    Completion,
    Order,
    Sampler,
    TransformersSampler,
    open_sampler,
    sample_all,
)

pytestmark = NEEDS_VLLM
PROMPTS = ["12+7=", "(12+7)*3-5=", "9*4-30+12="]
STEPS: list[None] = []
"""One for every step that the engine has told of."""


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(trial("micro").model)


@pytest.fixture(scope="module")
def sampler(base: BaseModel) -> Iterator[Sampler]:
    with open_sampler(trial("micro"), base, lambda: STEPS.append(None)) as sampler:
        yield sampler


def test_whoever_waits_is_told_of_every_step(sampler: Sampler) -> None:
    before = len(STEPS)
    (made,) = sample_all(sampler, ["12+7="], seeds(1, 1), **DRAW)
    assert len(STEPS) - before >= len(made[0].tokens) > 0


def restore(sampler: Sampler, base: BaseModel) -> None:
    sampler.publish((n, p.float()) for n, p in base.model.named_parameters())


def test_logprobs_are_those_of_a_plain_forward_pass(base: BaseModel, sampler: Sampler) -> None:
    completions = flat(sample_all(sampler, PROMPTS, seeds(3, 4), **DRAW))
    assert gap(base.model, completions, DRAW["temperature"]) < FP32_NATS


@pytest.mark.parametrize(("stop", "limit"), [(None, 48), (";", 48), (";", 6), (None, 5)])
def test_greedy_completions_are_the_transformers_samplers(
    base: BaseModel, sampler: Sampler, stop: str | None, limit: int
) -> None:
    settings = GREEDY | {"max_new_tokens": limit, "stop": stop}
    for ours, theirs in zip(
        flat(sample_all(TransformersSampler(base), PROMPTS, seeds(3, 1), **settings)),
        flat(sample_all(sampler, PROMPTS, seeds(3, 1), **settings)),
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
        sample_all(sampler, PROMPTS, seeds(3, 8), temperature=2.0, max_new_tokens=12, stop=";")
    )
    for completion in completions:
        words = base.tokenizer.convert_ids_to_tokens(completion.tokens)
        ends = [word in {";", "<eos>"} for word in words]
        assert completion.truncated == (not ends[-1])
        assert not any(ends[:-1])
        assert len(completion.tokens) == len(completion.logprobs) <= 12
    assert len({c.truncated for c in completions}) == 2


def test_the_same_seeds_give_the_same_draws_and_others_other_ones(sampler: Sampler) -> None:
    first = sample_all(sampler, PROMPTS, seeds(3, 8), **DRAW)
    assert sample_all(sampler, PROMPTS, seeds(3, 8), **DRAW) == first
    assert len({c.tokens for c in first[2]}) > 3


@pytest.mark.parametrize("method", CONTENDERS)
def test_a_published_policy_is_served_and_the_base_comes_back(
    base: BaseModel, sampler: Sampler, method: str
) -> None:
    before, fingerprint = sample_all(sampler, PROMPTS, seeds(3, 4), **DRAW), base.fingerprint()
    policy = moved_policy(base, method)
    published = sampler.publish(policy.effective_weights())
    completions = flat(sample_all(sampler, PROMPTS, seeds(3, 4), **DRAW))
    assert gap(policy.model, completions, DRAW["temperature"]) < FP32_NATS
    assert gap(base.model, completions, DRAW["temperature"]) > 100 * FP32_NATS
    assert published.delta_norm > 0
    assert base.fingerprint() == fingerprint
    restore(sampler, base)
    assert sample_all(sampler, PROMPTS, seeds(3, 4), **DRAW) == before


def test_both_samplers_give_the_same_account_of_what_was_published(
    base: BaseModel, sampler: Sampler
) -> None:
    policy = moved_policy(base, "lora")
    theirs = sampler.publish(policy.effective_weights())
    assert theirs == TransformersSampler(base).publish(policy.effective_weights())
    restore(sampler, base)


def test_prompts_too_many_to_be_read_at_once_are_each_read_whole(sampler: Sampler) -> None:
    prompts = [f"{n}+" * 60 + "1=" for n in range(10, 60)]  # some 9,000 tokens; 4,096 at once
    together = sample_all(sampler, prompts, seeds(50, 1), **DRAW | {"max_new_tokens": 4})
    for n in (0, 30, 49):
        alone = sample_all(
            sampler, prompts[n : n + 1], [seeds(50, 1)[n]], **DRAW | {"max_new_tokens": 4}
        )
        assert alone[0][0].tokens == together[n][0].tokens


def test_a_prompt_that_does_not_fit_is_one_line(base: BaseModel, sampler: Sampler) -> None:
    with pytest.raises(InputError, match=r"^a prompt of 1200 tokens .* context of 1024; .*$"):
        sample_all(sampler, ["1+" * 600], seeds(1, 1), **DRAW)
    assert sample_all(sampler, PROMPTS, seeds(3, 1), **DRAW)


def test_the_engine_takes_orders_while_it_decodes_and_gives_up_what_is_not_wanted(
    sampler: Sampler,
) -> None:
    def order(place: int) -> Order:
        tokens = tuple(sampler.tokenizer(f"({place}+3)*2=").input_ids)
        return Order(place, tokens, seeds(place + 1, 4)[place], [3, 20 * place + 4, 5, 6])

    waiting = iter(map(order, range(6)))
    turns = sampler.stream(lambda: next(waiting, None), longest=128, temperature=1.0, stop=None)
    with closing(turns):
        first = next(turn for turn in turns if turn)
    assert [len(completions) for _, completions in first] == [4] * len(first)
    assert len(first) < 6
    waiting = iter(map(order, range(6)))
    turns = sampler.stream(lambda: next(waiting, None), longest=128, temperature=1.0, stop=None)
    made: dict[int, list[Completion]] = {}
    with closing(turns):
        while len(made) < 6:
            made |= next(turns)
    for place, completions in first:
        assert [c.tokens for c in made[place]] == [c.tokens for c in completions]
    limits = [order(place).limits for place in range(6)]
    assert all(
        len(c.tokens) <= most
        for place in range(6)
        for c, most in zip(made[place], limits[place], strict=True)
    )
