"""The task `recall`, and the bits that it measures."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verirank.config import InputError, ModelConfig, resolve
from verirank.evaluation import sample_bench
from verirank.models import load_base, load_tokenizer
from verirank.sampling import TransformersSampler, sample_all
from verirank.sampling._stop_tokens import find_stop_tokens
from verirank.statistics import bits_learnt
from verirank.tasks import Task, load_task
from verirank.verifier import Verifier


def recall(**changes: int) -> Task:
    return load_task(resolve({"task": {"name": "recall", **changes}}).task)


def test_every_key_stands_once_and_every_epoch_asks_all_of_them():
    task = recall(keys=100, values=8)
    problems = task.bench("test", 1000)
    assert len({problem.id for problem in problems}) == 100
    epoch = [task.training_problem(3, index).id for index in range(100)]
    assert Counter(epoch) == Counter(problem.id for problem in problems)


def test_the_table_is_the_same_at_every_call_and_another_one_for_another_number():
    answers = [[p.answer for p in recall(table=t).bench("test", 64)] for t in (0, 0, 1)]
    assert answers[0] == answers[1] != answers[2]


def test_values_are_drawn_evenly():
    drawn = Counter(p.answer for p in recall(keys=4000, values=8).bench("test", 4000))
    assert set(drawn) == {str(value) for value in range(8)}
    assert max(abs(times - 500) for times in drawn.values()) < 100


@pytest.mark.parametrize(("values", "limit"), [(2, 1), (10, 1), (11, 3), (100, 3)])
def test_completions_have_one_to_three_tokens(values: int, limit: int):
    task = recall(values=values, shots=2)
    assert task.max_new_tokens == limit
    tokenizer = load_tokenizer(ModelConfig())
    for problem in task.bench("test", 64):
        written = problem.answer + (task.stop or "")
        assert len(tokenizer(written).input_ids) <= limit
        assert task.extract(written) == problem.answer


def test_pairs_that_are_shown_are_none_of_the_tables():
    task = recall(keys=40, shots=4)
    tokenizer = load_tokenizer(ModelConfig())
    asked = {problem.prompt for problem in task.bench("test", 40)}
    prompt = task.render(task.bench("test", 1)[0], tokenizer)
    shown = [f"{pair.partition('=')[0]}=" for pair in prompt.split(";")[:-1]]
    assert len(shown) == 4
    assert not asked & {*shown}


@pytest.mark.parametrize("completion", ["9", "", "x", "12", "²", "-1", "+3"])
def test_what_is_none_of_the_values_is_no_answer(completion: str):
    assert recall(values=8).extract(completion) is None


def test_more_shots_than_values_are_refused_in_one_line():
    with pytest.raises(InputError, match="each of the shots shows another of the 2 values"):
        recall(values=2, shots=3)


def test_knowing_the_whole_table_is_worth_nearly_all_of_its_bits():
    bits = bits_learnt(np.full(64, 10_000), np.full(64, 10_000), 8)
    assert bits == pytest.approx(64 * 3, abs=4)  # log2 9 of it is the price of not knowing t
    some = bits_learnt(np.full(64, 16), np.full(64, 16), 8)
    assert some == pytest.approx(64 * np.log2(8 * (16 + 1 / 8) / 17), abs=4)


def test_samples_without_an_answer_tell_nothing():
    none = np.zeros(10, dtype=int)
    assert bits_learnt(none, none, 8) == pytest.approx(0, abs=1e-9)


def test_what_is_surely_wrong_costs_no_more_than_it_has_to():
    half = np.array([16] * 32 + [0] * 32)
    bits = bits_learnt(half, np.full(64, 16), 8)
    channel = 3 - 1 - 0.5 * np.log2(7)  # of an 8-ary symmetric channel that errs half of the time
    assert 0.8 * 64 * channel < bits < 64 * channel + 4


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5), st.sampled_from([0.05, 1.0, 20.0]))
def test_a_policy_that_knows_nothing_has_no_bits_on_average(seed: int, values: int, spread: float):
    """Chance is corrected for exactly: the mean of 2^bits over tables is 1, whatever it answers."""
    generator = np.random.default_rng(seed)
    keys, samples, tables = 3, 5, values**3
    habits_KV = generator.dirichlet(np.full(values, spread), keys)
    counts_KV = np.array([generator.multinomial(samples, habit) for habit in habits_KV])
    every = np.indices((values,) * keys).reshape(keys, tables).T
    bits = [
        bits_learnt(counts_KV[np.arange(keys), table], counts_KV.sum(1), values) for table in every
    ]
    assert np.mean(np.exp2(bits)) == pytest.approx(1.0)
    assert np.mean(bits) <= 1e-9


def test_one_token_is_a_whole_answer_and_only_the_models_own_ends_stop_it():
    base = load_base(ModelConfig())
    sampler = TransformersSampler(base)
    settings = {"task": {"name": "recall"}, "evaluation": {"samples": 2, "problems": 8}}
    config = resolve(settings)
    task = load_task(config.task)
    ends = find_stop_tokens(base.model, base.tokenizer, task.stop)
    assert ends == find_stop_tokens(base.model, base.tokenizer, None)
    with Verifier(config.verifier) as verifier:
        rows = sample_bench(sampler, verifier, task, "test", config, "before").to_pylist()
    assert [row["length"] for row in rows] == [1] * 16
    assert not any(row["truncated"] for row in rows)
    # The same tokens as where every token ends a completion, and so the same bits.
    prompts = [task.render(problem, base.tokenizer) for problem in task.bench("test", 8)]
    seeds = [[row["seed"] for row in rows[2 * place : 2 * place + 2]] for place in range(8)]
    made = sample_all(sampler, prompts, seeds, temperature=1.0, max_new_tokens=1, stop="")
    assert [c.text for group in made for c in group] == [row["completion"] for row in rows]
    long = recall(values=11)
    assert (long.stop, long.is_whole_at_limit) == (";", False)
