"""Methods that start from data: the same ones for the same seed, counted, and never drawn twice."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from keeping import kept_bytes
from verirank.config import TrialConfig, load_plugin, override, resolve
from verirank.methods import gradients_of
from verirank.models import BaseModel
from verirank.record import Run, step_seconds
from verirank.sampling import TransformersSampler
from verirank.tasks import load_task
from verirank.training import StartCompletions, Trainer, prepare, rewards_of, train
from verirank.verifier import Verifier


def trial(method: str, seed: int = 0) -> TrialConfig:
    own = () if method == "full" else ("method.rank=8", "method.problems=4")
    settings = ("training.steps=2", "sampling.problems_per_step=2", "sampling.group_size=4", *own)
    config = resolve(override({"method": {"name": method}}, settings))
    return config.model_copy(update={"seed": seed})


def data_of(base: BaseModel, verifier: Verifier, config: TrialConfig) -> StartCompletions:
    task = load_task(config.task)
    return StartCompletions.sample(
        *(config, base, TransformersSampler(base), task),
        rewards=rewards_of(config, task, verifier, None),
        algorithm=load_plugin("algorithm", "grpo")(config.algorithm),
        max_new_tokens=task.max_new_tokens,
        most_padded=None,
    )


@pytest.mark.parametrize("method", ["lora-ga", "eva"])
def test_a_paused_run_goes_on_from_its_stored_start_to_the_same_bits(
    method: str, tmp_path: Path, base: BaseModel, verifier: Verifier, monkeypatch
) -> None:
    straight = Run.create(tmp_path / "straight", trial(method))
    train(straight, base, TransformersSampler(base), verifier)
    paused = Run.create(tmp_path / "paused", trial(method))
    train(paused, base, TransformersSampler(base), verifier, until=1)
    before = paused.manifest["start_data"]

    def sample(*_: object, **__: object) -> None:
        raise AssertionError("the data were sampled again")

    monkeypatch.setattr(StartCompletions, "sample", sample)
    train(paused, base, TransformersSampler(base), verifier)
    assert paused.manifest["start_data"] == before
    assert before["sha256"] == straight.manifest["start_data"]["sha256"]
    for file in ("init/initial.safetensors", "adapter/state.safetensors"):
        first, second = (load_file(run.folder / file) for run in (paused, straight))
        assert first.keys() == second.keys()
        assert all(tensor.equal(second[name]) for name, tensor in first.items())
    assert (before["problems"], before["completions"]) == (4, 16)
    assert before["tokens"] > 16
    steps = sum(step_seconds(line) for line in paused.metrics())
    assert paused.manifest["seconds"] == pytest.approx(before["seconds"] + steps)


def test_another_seed_has_other_data(base: BaseModel, verifier: Verifier) -> None:
    first, again, other = (data_of(base, verifier, trial("eva", seed)) for seed in (0, 0, 1))
    assert first.start(0.0) == again.start(0.0)
    assert first.start(0.0).sha256 != other.start(0.0).sha256


def test_the_gradient_is_that_of_the_first_step_of_full_fine_tuning(
    base: BaseModel, verifier: Verifier
) -> None:
    full = Trainer(trial("full"), base, TransformersSampler(base), verifier)
    data = data_of(base, verifier, trial("lora-ga"))
    batch = prepare(
        data.groups, full.algorithm, max_new_tokens=full.max_new_tokens, most_tokens=4096
    )
    full._accumulate_gradients(batch)
    names = ["model.layers.0.self_attn.k_proj", "model.layers.3.mlp.down_proj"]
    found = gradients_of(base.unfolded_copy(), names, data)
    for name in names:
        expected = full.policy.model.get_submodule(name).weight.grad
        assert expected is not None
        assert (found[name] - expected).norm() < 1e-4 * expected.norm()


def test_with_checkpointing_the_pass_keeps_less_and_has_the_same_gradient(
    base: BaseModel, verifier: Verifier
) -> None:
    config, name = trial("lora-ga"), "model.layers.0.self_attn.k_proj"
    machine = config.machine.model_copy(update={"gradient_checkpointing": True})
    datas = [
        data_of(base, verifier, one)
        for one in (config, config.model_copy(update={"machine": machine}))
    ]

    def kept(data: StartCompletions) -> int:
        model = base.unfolded_copy()
        model.get_submodule(name).weight.requires_grad_(True)  # pyright: ignore
        return kept_bytes(lambda: next(data.losses(model)), model.parameters())

    found = [gradients_of(base.unfolded_copy(), [name], data)[name] for data in datas]
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-9)
    assert 0 < kept(datas[1]) < kept(datas[0]) / 3
