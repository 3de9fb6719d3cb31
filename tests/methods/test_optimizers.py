"""Optimisers keep a method's own groups, and a state that goes on to the same bits."""

from __future__ import annotations

import copy

import pytest
import torch

from verirank.config import InputError, MethodConfig, TrainingConfig, learning_rate_of, resolve
from verirank.methods import Policy
from verirank.methods._optimizers import MuonWithAdamW
from verirank.models import BaseModel, load_base
from verirank.training import rate_factor


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(resolve({}).model)


def policy(base: BaseModel, method: str) -> Policy:
    return Policy.create(base, MethodConfig(name=method), seed=0, total_steps=8)


def step(policy: Policy, optimizer: torch.optim.Optimizer, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in policy.trainable().values():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimizer.step()


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_lora_plus_keeps_its_ratio_with_every_optimiser(base: BaseModel, optimizer: str) -> None:
    trained = policy(base, "lora-plus")
    made = trained.optimizer(TrainingConfig(optimizer=optimizer), 1e-3)
    rates = {id(p): group["lr"] for group in made.param_groups for p in group["params"]}
    of = {n: rates[id(p)] for n, p in trained.trainable().items()}
    assert len(of) == len(rates)
    assert {rate for name, rate in of.items() if "lora_A" in name} == {1e-3}
    assert {rate for name, rate in of.items() if "lora_B" in name} == {16e-3}


def test_muon_takes_matrices_and_leaves_embeddings_and_vectors_to_adamw(base: BaseModel) -> None:
    trained = policy(base, "full")
    made = trained.optimizer(TrainingConfig(optimizer="muon"), 1e-3)
    assert isinstance(made, MuonWithAdamW)
    step(trained, made, 0)
    for name, parameter in trained.trainable().items():
        with_muon = "momentum_buffer" in made.state[parameter]
        assert with_muon == (parameter.ndim == 2 and "embed" not in name), name
        assert with_muon != ("exp_avg" in made.state[parameter]), name


def test_a_muon_step_of_lora_is_torchs_own(base: BaseModel) -> None:
    ours, theirs = policy(base, "lora"), policy(base, "lora")
    training = TrainingConfig(optimizer="muon")
    made = ours.optimizer(training, 1e-3)
    peer = torch.optim.Muon(
        list(theirs.trainable().values()),
        lr=1e-3,
        weight_decay=0.0,
        momentum=training.momentum,
        adjust_lr_fn="match_rms_adamw",
    )
    for seed in range(3):
        step(ours, made, seed)
        step(theirs, peer, seed)
    expected = theirs.trainable()
    assert all(p.equal(expected[n]) for n, p in ours.trainable().items())


@pytest.mark.parametrize("method", ["full", "dora"])
@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
def test_a_state_that_was_saved_goes_on_to_the_same_bits(
    base: BaseModel, method: str, optimizer: str
) -> None:
    training = TrainingConfig(optimizer=optimizer)
    whole, resumed = policy(base, method), policy(base, method)
    first = whole.optimizer(training, 1e-3)
    step(whole, first, 0)
    saved = copy.deepcopy(first.state_dict())
    second = resumed.optimizer(training, 1e-3)
    for name, parameter in resumed.trainable().items():
        parameter.data.copy_(whole.trainable()[name])
    second.load_state_dict(saved)
    for one, its in ((whole, first), (resumed, second)):
        for group in its.param_groups:
            group["lr"] = 5e-4
        step(one, its, 1)
    expected = whole.trainable()
    assert all(p.equal(expected[n]) for n, p in resumed.trainable().items())


def test_muon_over_sharded_weights_is_refused_in_one_line() -> None:
    settings = {"machine": {"shard": True}, "method": {"name": "full"}}
    with pytest.raises(InputError, match="Muon needs whole matrices"):
        resolve({**settings, "training": {"optimizer": "muon"}})


def test_a_default_rate_is_the_optimisers_own_and_a_set_one_is_kept() -> None:
    default, given = MethodConfig(name="lora"), MethodConfig(name="lora", learning_rate=0.5)
    adamw = learning_rate_of(default, "micro")
    assert learning_rate_of(default, "micro", "muon") == adamw
    assert learning_rate_of(default, "micro", "sgd") > 10 * adamw
    assert learning_rate_of(given, "micro", "sgd") == 0.5


def factors(schedule: str, **settings: float) -> list[float]:
    training = TrainingConfig(steps=20, schedule=schedule, **{"warmup_steps": 4, **settings})
    return [rate_factor(step, training) for step in range(20)]


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "wsd"])
def test_every_schedule_warms_up_and_never_rises_again_nor_ends_at_nothing(schedule: str) -> None:
    found = factors(schedule)
    assert found[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert found[3:] == sorted(found[3:], reverse=True)
    assert found[-1] > 0


def test_schedules_have_their_shapes() -> None:
    assert factors("constant")[4:] == [1.0] * 16
    assert factors("linear")[12] == pytest.approx(0.5)
    assert factors("cosine")[12] == pytest.approx(0.5)
    assert factors("cosine")[8] == pytest.approx(0.5 * (1 + 2**-0.5))
    assert factors("wsd", decay_fraction=0.25)[4:16] == [1.0] * 12
    assert factors("wsd", decay_fraction=0.25)[16:] == pytest.approx([0.8, 0.6, 0.4, 0.2])
