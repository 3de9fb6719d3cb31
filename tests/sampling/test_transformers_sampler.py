"""The transformers sampler: right log-probabilities, independent streams, an untouched base."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import lru_cache
from itertools import count, islice
from threading import Event
from typing import Any

import pytest
import torch

from verirank.config import ModelConfig
from verirank.kernels import DecodeCache
from verirank.models import SHAPES, BaseModel, load_base, load_tokenizer
from verirank.sampling import (
    Finished,
    Order,
    Orders,
    SamplingStoppedError,
    StoppableSampler,
    TransformersSampler,
    _hands,
    _transformers,
    cache_bytes,
    most_rows,
    sample_all,
    sample_seed,
)
from verirank.sampling._decoder import parts_of
from verirank.sampling._drawing import draw, storage_for_drawing
from verirank.sampling._hands import Dispatch, side_by_side

PROMPTS = ["12+7=", "(12+7)*3-5=", "9*4-30+12="]
DRAW = {"temperature": 1.0, "max_new_tokens": 48, "stop": None}


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(ModelConfig(name="micro"))


def seeds(groups: int, samples: int) -> list[list[int]]:
    return [[sample_seed("test", p, g) for g in range(samples)] for p in range(groups)]


def test_logprobs_are_those_of_a_plain_forward_pass(base: BaseModel) -> None:
    completions = sample_all(TransformersSampler(base), PROMPTS, seeds(3, 8), **DRAW)
    for completion in (c for group in completions for c in group):
        tokens = torch.tensor([completion.prompt_tokens + completion.tokens])
        expected = base.model(tokens).logits[0].log_softmax(-1)[:-1].gather(1, tokens[0, 1:, None])
        sampled = expected[len(completion.prompt_tokens) - 1 :, 0]
        torch.testing.assert_close(sampled, torch.tensor(completion.logprobs), atol=2e-5, rtol=0)


def test_on_progress_is_called_every_32_tokens(base: BaseModel) -> None:
    calls = list[None]()
    sampler = TransformersSampler(base, on_progress=lambda: calls.append(None))
    made = sample_all(sampler, PROMPTS, seeds(3, 8), **DRAW)
    longest = max(len(completion.tokens) for group in made for completion in group)
    assert len(calls) == -(-longest // 32) > 0


def test_nearly_zero_temperature_equals_greedy_generate(base: BaseModel) -> None:
    sampled = sample_all(
        TransformersSampler(base),
        PROMPTS,
        seeds(3, 1),
        temperature=1e-4,
        max_new_tokens=30,
        stop=None,
    )
    for prompt, (completion,) in zip(PROMPTS, sampled, strict=True):
        tokens = base.tokenizer(prompt, return_tensors="pt").input_ids
        greedy = base.model.generate(tokens, do_sample=False, max_new_tokens=30)[0]
        assert completion.tokens == tuple(greedy[tokens.shape[1] :].tolist())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_sample_is_the_same_to_the_bit_whatever_stands_beside_it(dtype: str) -> None:
    sampler = TransformersSampler(load_base(ModelConfig(name="micro", dtype=dtype)))
    prompts = [*PROMPTS, *(f"{n}*{n % 7}+3=" for n in range(2, 15))]
    together = sample_all(sampler, prompts, seeds(16, 4), **DRAW)
    assert sample_all(sampler, prompts[1:2], [seeds(3, 4)[1]], **DRAW) == [together[1]]
    assert sample_all(sampler, prompts[1:2], [seeds(3, 4)[1][2:3]], **DRAW) == [[together[1][2]]]
    backwards = sample_all(sampler, prompts[::-1], seeds(16, 4)[::-1], **DRAW)
    assert backwards[::-1] == together


@pytest.mark.parametrize("rows", [1, 3, 5])
def test_samples_do_not_depend_on_how_many_the_memory_holds(base: BaseModel, rows: int) -> None:
    wide = sample_all(TransformersSampler(base), PROMPTS, seeds(3, 4), **DRAW)
    longest = len(wide[1][0].prompt_tokens) + DRAW["max_new_tokens"]
    held = rows * cache_bytes(base.shape, longest, base.dtype.itemsize)
    assert (
        sample_all(TransformersSampler(base, cache_bytes=held), PROMPTS, seeds(3, 4), **DRAW)
        == wide
    )


@lru_cache
def micro_tokens(prompt: str) -> tuple[int, ...]:
    return tuple(load_tokenizer(ModelConfig(name="micro"))(prompt).input_ids)


def orders(
    chosen: list[int], more: Callable[[], bool] = lambda: True
) -> Callable[[], Order | None]:
    """Return what gives orders of 4 samples, whose limits differ, for problems in some order."""
    waiting = iter(chosen)

    def following() -> Order | None:
        place = next(waiting, None) if more() else None
        if place is None:
            return None
        limits = [4 + (7 * place + 11 * g) % 40 for g in range(4)]
        group = [sample_seed("orders", place, g) for g in range(4)]
        return Order(place, micro_tokens(f"({place}+3)*2="), group, limits)

    return following


def stream(base: BaseModel, following: Orders, rows: int) -> Iterator[Finished]:
    held = rows * cache_bytes(base.shape, 64, base.dtype.itemsize)
    sampler = TransformersSampler(base, cache_bytes=held)
    turns = sampler.stream(following, longest=64, temperature=1.0, stop=None)
    with closing(turns):
        for finished in turns:
            yield from finished


def test_samples_that_join_others_under_way_are_the_same_to_the_bit(base: BaseModel) -> None:
    alone = dict(next(stream(base, orders([place]), rows=4)) for place in range(12))
    for shuffle in (None, 1, 2):
        places = list(range(12))
        if shuffle is not None:
            random.Random(shuffle).shuffle(places)
        finished = list(islice(stream(base, orders(places), rows=10), 12))
        assert dict(finished) == alone
        assert [place for place, _ in finished] != places, "short ones overtake long ones"
    limits = [4 + (7 * 3 + 11 * g) % 40 for g in range(4)]
    assert all(len(c.tokens) <= n for c, n in zip(alone[3], limits, strict=True))


def test_orders_that_come_later_are_taken_and_what_is_unfinished_is_given_up(
    base: BaseModel,
) -> None:
    asked, sampler = Event(), TransformersSampler(base)
    turns = sampler.stream(orders([1, 2], asked.is_set), longest=64, temperature=1.0, stop=None)
    assert [next(turns) for _ in range(3)] == [[], [], []]
    asked.set()
    finished = next(turn for turn in turns if turn)
    turns.close()
    assert len(finished) == 1
    again = sample_all(sampler, PROMPTS, seeds(3, 2), **DRAW)
    assert again == sample_all(TransformersSampler(base), PROMPTS, seeds(3, 2), **DRAW)


def test_threads_share_the_samples_and_are_as_many_afterwards(
    base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_transformers, "_LEAST_MATRIX", 0)
    before = torch.get_num_threads()
    drawn = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            drawn.append(sample_all(TransformersSampler(base), PROMPTS, seeds(3, 5), **DRAW))
            with ThreadPoolExecutor(1) as pool:
                in_a_new_thread = pool.submit(torch.get_num_threads).result()
            assert (torch.get_num_threads(), in_a_new_thread) == (threads, threads)
    finally:
        torch.set_num_threads(before)
    alone, *shared = ([[(c.tokens, c.text) for c in group] for group in made] for made in drawn)
    assert shared == [alone, alone]


def test_sampling_is_given_up_once_a_run_is_to_stop(base: BaseModel) -> None:
    turns = count()
    stopped = StoppableSampler(TransformersSampler(base), lambda: next(turns) >= 3)
    with pytest.raises(SamplingStoppedError):
        sample_all(stopped, PROMPTS, seeds(3, 2), **DRAW)
    assert next(turns) == 4, "it looks at every turn"


def test_as_long_as_nothing_is_to_stop_a_stoppable_sampler_samples_as_any(base: BaseModel) -> None:
    sampler = TransformersSampler(base)
    stoppable = StoppableSampler(sampler, lambda: False)
    whole = sample_all(sampler, PROMPTS, seeds(3, 2), **DRAW)
    assert sample_all(stoppable, PROMPTS, seeds(3, 2), **DRAW) == whole
    assert sample_all(stoppable, [], [], **DRAW) == []


def test_one_hand_has_the_orders_until_it_has_enough_then_the_one_with_the_fewest_samples() -> None:
    dispatch = Dispatch[str](orders(list(range(6))), 2, enough=6)  # orders of four samples
    takes = [dispatch.take(*asks) for asks in ((1, 0), (0, 0), (1, 0), (0, 4), (0, 8), (1, 0))]
    assert [take and take.index for take in takes] == [None, 0, None, 1, None, 2]
    assert dispatch.take(1, 4) is not None, "which has not enough yet"
    assert [dispatch.take(0, 8) is None, dispatch.take(0, 12) is None] == [False, True]


def test_a_hand_with_few_samples_leaves_them_to_the_first_one() -> None:
    dispatch = Dispatch[str](orders([]), 2, enough=6)
    assert dispatch.take(0, 4) is None
    assert (
        not dispatch.may_give(1, 3) and not dispatch.may_give(0, 2) and not dispatch.may_give(1, 0)
    )
    assert dispatch.may_give(1, 2)
    dispatch.give("samples", 2)
    assert not dispatch.may_give(1, 1), "the first one has six by now"
    assert [dispatch.given(1, 9), dispatch.given(0, 1)] == [None, None]
    assert [dispatch.given(0, 2), dispatch.given(0, 2)] == ["samples", None]


@pytest.mark.parametrize("enough", [1, 6, 40])
def test_completions_are_the_same_to_the_bit_when_hands_leave_samples_to_each_other(
    base: BaseModel, monkeypatch: pytest.MonkeyPatch, enough: int
) -> None:
    places = list(range(12))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = dict(islice(stream(base, orders(places), rows=64), 12))
        torch.set_num_threads(2)
        monkeypatch.setattr(_transformers, "_LEAST_MATRIX", 0)
        monkeypatch.setattr(_hands, "_ENOUGH", enough)
        assert dict(islice(stream(base, orders(places), rows=64), 12)) == alone
    finally:
        torch.set_num_threads(before)


def test_an_error_of_one_hand_stops_the_other_within_a_token() -> None:
    def decode(dispatch: Dispatch[Any], hand: int) -> Iterator[list[Finished]]:
        if hand == 0:
            raise ZeroDivisionError
        while True:
            yield []

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with pytest.raises(ZeroDivisionError):
            list(side_by_side(decode, orders([]), 2, 4))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_no_uniform_number_draws_a_token_without_probability() -> None:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn((64, 1000), generator=random) * 4
    logits[:, 700:] = float("-inf")  # the end of a block, and a whole block
    logits[:, 0] = 30.0
    least, most = 0.0, 1.0 - 2.0**-53
    block = (logits[:, :256].double() - 30).exp().sum(1) / (logits.double() - 30).exp().sum(1)
    edges = [torch.full((64,), least), torch.full((64,), most), block, block - 2.0**-53]
    for uniforms in (edge.double() for edge in edges):
        tokens, logprobs = draw(logits, uniforms, 1.0, storage_for_drawing(logits))
        assert (tokens < 700).all()
        expected = logits.double().log_softmax(-1).gather(1, tokens[:, None])[:, 0]
        torch.testing.assert_close(logprobs.double(), expected, atol=1e-5, rtol=1e-6)


def test_a_row_that_is_not_a_number_is_drawn_as_such() -> None:
    logits = torch.tensor([[1.0, float("nan"), 2.0], [1.0, float("inf"), 2.0]])
    uniforms = torch.tensor([0.5, 0.5], dtype=torch.float64)
    tokens, logprobs = draw(logits, uniforms, 1.0, storage_for_drawing(logits))
    assert (tokens < 3).all() and logprobs.isnan().all()


def test_the_cache_of_samples_side_by_side_keeps_to_its_bytes(
    base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest, keep = [0], DecodeCache.next_token

    def next_token(cache: DecodeCache, writing: torch.Tensor):
        held = [room for layer in cache._layers for room in (layer.key_store, layer.value_store)]
        largest[0] = max(largest[0], sum(room.nbytes for room in held))
        return keep(cache, writing)

    monkeypatch.setattr(DecodeCache, "next_token", next_token)
    long = DRAW | {"max_new_tokens": 400}
    sample_all(TransformersSampler(base), PROMPTS, seeds(3, 8), **long)
    unbounded, largest[0] = largest[0], 0
    budget = unbounded // 4
    sample_all(TransformersSampler(base, cache_bytes=budget), PROMPTS, seeds(3, 8), **long)
    assert 0 < largest[0] <= budget


def test_long_completions_of_the_1_5b_model_are_few_at_a_time() -> None:
    shape = SHAPES["qwen2-1.5b"]
    assert most_rows(shape, 150 + 16_384, width=2) == 9
    assert most_rows(shape, 150 + 64, width=2) == 256
    assert most_rows(shape, 10**7, width=2) == 1


def test_a_group_is_cut_only_where_it_is_larger_than_the_memory() -> None:
    sizes = [[len(part.seeds) for part in parts_of(0, (1,), range(9), [5] * 9, n)] for n in (6, 9)]
    assert sizes == [[6, 3], [9]]


def test_the_samples_of_one_problem_differ(base: BaseModel) -> None:
    (group,) = sample_all(TransformersSampler(base), PROMPTS[2:], seeds(1, 16), **DRAW)
    assert len({c.tokens for c in group}) > 4


def test_tokens_are_drawn_with_the_models_frequencies(base: BaseModel) -> None:
    n = 4000
    (group,) = sample_all(
        TransformersSampler(base),
        ["12+7="],
        seeds(1, n),
        temperature=2.0,
        max_new_tokens=2,
        stop=None,
    )
    tokens = torch.tensor([base.tokenizer("12+7=<think>").input_ids])
    expected = (base.model(tokens).logits[0, -1] / 2.0).softmax(-1)
    thought = [c.tokens[1] for c in group if c.text.startswith("<think>") and len(c.tokens) > 1]
    counts = torch.bincount(torch.tensor(thought), minlength=len(expected))
    error = (expected * (1 - expected) / len(thought)).sqrt()
    assert ((counts / len(thought) - expected).abs() <= 4.5 * error + 1e-3).all()


def test_a_completion_ends_with_its_stop_token_or_is_truncated(base: BaseModel) -> None:
    completions = sample_all(
        TransformersSampler(base), PROMPTS, seeds(3, 8), **DRAW | {"stop": ";"}
    )
    for completion in (c for group in completions for c in group):
        words = base.tokenizer.convert_ids_to_tokens(completion.tokens)
        ends = [word in {";", "<eos>"} for word in words]
        assert completion.truncated == (not ends[-1])
        assert not any(ends[:-1])
        assert len(completion.tokens) == len(completion.logprobs) <= 48


def test_publishing_never_writes_to_the_base(base: BaseModel) -> None:
    before = base.fingerprint()
    sampler = TransformersSampler(base)
    weights = [(n, p.float() + 1.0) for n, p in base.model.named_parameters()]
    for _ in range(2):
        sampler.publish(weights)
    assert base.fingerprint() == before


def test_published_weights_are_served_and_the_base_comes_back(base: BaseModel) -> None:
    sampler = TransformersSampler(base)
    plain = sample_all(sampler, PROMPTS, seeds(3, 2), **DRAW)
    name = "model.layers.0.mlp.down_proj.weight"
    weight = dict(base.model.named_parameters())[name]
    published = sampler.publish([(name, -weight)])
    assert sample_all(sampler, PROMPTS, seeds(3, 2), **DRAW) != plain
    assert published.delta_norm == pytest.approx(2 * weight.norm().item(), rel=1e-5)
    sampler.publish([(name, weight.clone())])
    assert sample_all(sampler, PROMPTS, seeds(3, 2), **DRAW) == plain


def test_an_update_below_half_a_ulp_is_reported_as_not_moved() -> None:
    base = load_base(ModelConfig(name="micro", dtype="bfloat16"))
    sampler = TransformersSampler(base)
    name, weight = next(
        (n, p.float()) for n, p in base.model.named_parameters() if n.endswith("norm.weight")
    )
    assert sampler.publish([(name, weight * (1 + 1e-4))]).changed_fraction == 0.0
    assert sampler.publish([(name, weight * 1.05)]).changed_fraction == 1.0


def test_seeds_of_different_places_differ() -> None:
    places = [(s, p, g) for s in range(5) for p in range(20) for g in range(20)]
    assert len({sample_seed(*place) for place in places}) == len(places)
