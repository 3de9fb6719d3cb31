"""A batch is filled without waiting, and is the same whatever is ready first."""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator
from contextlib import closing

import pytest
import torch

from verirank.config import TrialConfig, override, resolve
from verirank.models import BaseModel
from verirank.sampling import Finished, Order, Orders, TransformersSampler
from verirank.training import Intake, KeepRate, StepAbandonedError, Trainer
from verirank.verifier import Verifier

SMALL = ["sampling.problems_per_step=4", "sampling.group_size=4", "training.warmup_steps=1"]
TIMES = ("seconds", "tokens_per_second", "peak_memory_bytes")


def trial(*assignments: str) -> TrialConfig:
    return resolve(override({}, [*SMALL, *assignments]))


class Shuffled(TransformersSampler):
    """Keeps finished groups back, and gives them in another order."""

    seed = 0
    told = 0

    def stream(self, orders: Orders, **settings) -> Generator[list[Finished]]:  # pyright: ignore
        choice, held = random.Random(self.seed), list[Finished]()
        taken = [0]

        def counted() -> Order | None:
            order = orders()
            taken[0] += order is not None
            return order

        with closing(super().stream(counted, **settings)) as turns:
            for finished in turns:
                held += finished
                taken[0] -= len(finished)
                self.told += len(finished)
                choice.shuffle(held)
                if held and (not taken[0] or choice.random() < 0.02):
                    yield [held.pop()]
                else:
                    yield []


def steps(base: BaseModel, sampler: TransformersSampler, verifier: Verifier, *settings: str):
    """Return metrics, groups and weights of three steps."""
    one = Trainer(trial(*settings), base, sampler, verifier)
    taken = [one.train_step() for _ in range(3)]
    metrics = [{k: v for k, v in step.metrics.items() if not k.startswith(TIMES)} for step in taken]
    return metrics, [step.groups for step in taken], one.policy.state(), one.problems_drawn


def assert_same(one, other) -> None:
    assert one[0] == other[0]
    assert [[g.completions for g in groups] for groups in one[1]] == [
        [g.completions for g in groups] for groups in other[1]
    ]
    assert one[2].keys() == other[2].keys()
    assert all(torch.equal(tensor, other[2][name]) for name, tensor in one[2].items())
    assert one[3] == other[3]


@pytest.mark.parametrize("algorithm", ["dapo", "grpo"])
def test_neither_the_order_of_finishing_nor_how_many_are_requested_changes_a_bit(
    base: BaseModel, verifier: Verifier, algorithm: str
) -> None:
    # At a low temperature many groups have no signal, so that DAPO refills.
    name = [f"algorithm.name={algorithm}", "sampling.temperature=0.5"]
    plain = steps(base, TransformersSampler(base), verifier, *name)
    sampled = [metrics["groups_sampled"] for metrics in plain[0]]
    assert sampled == [4, 4, 4] if algorithm == "grpo" else sum(sampled) > 12
    for ahead in ("0", "7"):
        more = f"sampling.requested_ahead={ahead}"
        assert_same(steps(base, TransformersSampler(base), verifier, *name, more), plain)
    for seed in (1, 2):
        shuffled = Shuffled(base)
        shuffled.seed = seed
        assert_same(steps(base, shuffled, verifier, *name), plain)


def test_the_batch_is_what_rounds_would_have_accepted(base: BaseModel, verifier: Verifier) -> None:
    config = trial("algorithm.name=dapo", "sampling.temperature=0.5")
    one = Trainer(config, base, TransformersSampler(base), verifier)
    groups = one.train_step().groups
    kept = [one.algorithm.selects(group) for group in groups]
    assert sum(kept) == 4 and kept[-1]
    problems = [one.task.training_problem(config.seed, place).id for place in range(len(groups))]
    assert [group.problem.id for group in groups] == problems
    assert one.problems_drawn == len(groups)


def test_groups_are_accepted_in_the_order_of_their_places() -> None:
    intake = Intake(2, 10, ahead=3)
    assert [intake.request() for _ in range(6)] == [0, 1, 2, 3, 4, None]
    for place, accepted in ((4, 0), (1, 0), (0, 2), (3, 2)):
        intake.decide(place, kept=place != 0)
        assert (intake.accepted, intake.is_closed) == (accepted, False)
    intake.decide(2, kept=False)
    assert (intake.accepted, intake.missing, intake.is_closed) == (4, 0, True)
    assert intake.request() is None


def test_no_more_is_requested_than_may_be_sampled_and_then_the_batch_stays_short() -> None:
    intake = Intake(2, 6, ahead=100)
    places = [intake.request() for _ in range(7)]
    assert places == [0, 1, 2, 3, 4, 5, None]
    for place in range(6):
        assert not intake.is_closed
        intake.decide(place, kept=place == 3)
    assert (intake.is_closed, intake.accepted, intake.missing) == (True, 6, 1)


def test_the_fewer_groups_are_kept_the_more_are_requested() -> None:
    generous, strict = KeepRate(), KeepRate()
    for place in range(100):
        generous.count(kept=True)
        strict.count(kept=place % 4 == 0)
    assert 16 <= generous.needed(16) <= 18
    assert 64 < strict.needed(16) < 100
    assert KeepRate().needed(1) >= 2


def test_stopping_gives_up_a_step_at_once_and_the_next_one_is_the_same(
    base: BaseModel, verifier: Verifier
) -> None:
    whole = steps(base, TransformersSampler(base), verifier, "algorithm.name=dapo")
    one = Trainer(trial("algorithm.name=dapo"), base, TransformersSampler(base), verifier)
    first = one.train_step()
    for turns in (1, 5, 30):  # while it decodes, and later while it accumulates the gradient
        asked: Iterator[bool] = iter([False] * turns)
        with pytest.raises(StepAbandonedError):
            one.train_step(lambda asked=asked: next(asked, True))
        assert (one.step, one.updates, one.problems_drawn) == (1, 1, len(first.groups))
    second = one.train_step()
    assert [g.completions for g in second.groups] == [g.completions for g in whole[1][1]]
    assert {k: v for k, v in second.metrics.items() if not k.startswith(TIMES)} == whole[0][1]


def test_an_update_is_given_up_between_micro_batches(base: BaseModel, verifier: Verifier) -> None:
    config = trial("training.micro_batch_tokens=64")
    one = Trainer(config, base, TransformersSampler(base), verifier)
    groups = one.train_step().groups
    before = {name: tensor.clone() for name, tensor in one.policy.state().items()}
    asked = iter([False, False])
    with pytest.raises(StepAbandonedError):
        one.learn(groups, lambda: next(asked, True))
    assert all(torch.equal(tensor, before[name]) for name, tensor in one.policy.state().items())
