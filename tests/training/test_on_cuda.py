"""On a CUDA device, where there is one: a step is the CPU's, and a short run has its bits again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from verirank.algorithms import Group
from verirank.config import CONTENDERS, TrialConfig, override, plugin_names, resolve
from verirank.models import BaseModel, load_base
from verirank.sampling import TransformersSampler, sample_all
from verirank.tasks import Problem
from verirank.training import Trainer
from verirank.verifier import Reward, Verifier

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
    pytest.mark.filterwarnings("ignore:.*determinis"),
]

SMALL = (
    "sampling.problems_per_step=4",
    "sampling.group_size=4",
    "training.warmup_steps=1",
    "evaluation.problems=8",
    "evaluation.samples=2",
)

STUDY = """\
name = "on-cuda"
preset = "quickstart"
methods = ["lora", "dora"]
seeds = [0]

[trial.sampling]
problems_per_step = 4

[trial.training]
steps = 3

[trial.evaluation]
problems = 8
samples = 2
"""


@pytest.fixture(scope="module")
def there() -> BaseModel:
    return load_base(resolve({}).model, "cuda")


def started(method: str, base: BaseModel, verifier: Verifier, *settings: str) -> Trainer:
    """Return a trainer whose weights have moved a little, the same on every device."""
    config = resolve(override({}, [f"method.name={method}", *SMALL, *settings]))
    # Of a decomposition the signs may be others on another device, so it is taken on the CPU.
    first = Trainer(config, cpu_twin(config, base), TransformersSampler(base), verifier)
    sampler = TransformersSampler(base)
    trainer = Trainer(config, base, sampler, verifier, first.policy.initial_state() or None)
    random = torch.Generator().manual_seed(3)
    trained = trainer.policy.trainable()
    moved = {
        name: tensor.cpu() + 0.003 * torch.randn(tensor.shape, generator=random)
        if name in trained
        else tensor
        for name, tensor in sorted(first.policy.state().items())
    }
    trainer.policy.load_state(moved)
    sampler.publish(trainer.policy.effective_weights())
    return trainer


def cpu_twin(config: TrialConfig, base: BaseModel) -> BaseModel:
    return replace(base, model=load_base(config.model).model)


@pytest.mark.parametrize(
    ("method", "algorithm"),
    [(method, "grpo") for method in CONTENDERS]
    + [("lora", algorithm) for algorithm in plugin_names("algorithm") if algorithm != "grpo"],
)
def test_a_step_is_the_cpus(
    base: BaseModel, there: BaseModel, verifier: Verifier, method: str, algorithm: str
) -> None:
    settings = [f"algorithm.name={algorithm}"]
    settings += ["algorithm.kl_coefficient=0.05"] if algorithm != "dapo" else []  # which has none
    trainers = [started(method, device, verifier, *settings) for device in (base, there)]
    here, far = (trainer.train_step() for trainer in trainers)
    assert [c.tokens for g in here.groups for c in g.completions] == [
        c.tokens for g in far.groups for c in g.completions
    ]
    assert far.metrics["groups_used"] == here.metrics["groups_used"] != 0
    for metric in ("reward_mean", "grad_norm", "entropy", "clip_fraction"):
        assert far.metrics[metric] == pytest.approx(here.metrics[metric], rel=1e-3, abs=1e-6)
    assert float(far.metrics["kl_train_sampler"] or 0) < 1e-5
    grads, far_grads = (
        {name: p.grad.cpu() for name, p in t.policy.trainable().items() if p.grad is not None}
        for t in trainers
    )
    scale = max(float(grad.abs().max()) for grad in grads.values())
    assert grads.keys() == far_grads.keys()
    for name, grad in grads.items():
        torch.testing.assert_close(far_grads[name], grad, rtol=1e-3, atol=1e-3 * scale, msg=name)
        assert (far_grads[name] - grad).norm() <= 0.01 * grad.norm() + 1e-6 * scale, name
    # Where a gradient is near 0, AdamW's first step may go either way: only its length is the same.
    assert far.metrics["delta_norm"] == pytest.approx(here.metrics["delta_norm"], rel=0.02)
    assert float(trainers[1].train_step().metrics["kl_train_sampler"] or 0) < 1e-5


@pytest.mark.parametrize("method", CONTENDERS)
def test_in_bf16_sampler_and_trainer_agree(verifier: Verifier, method: str) -> None:
    config = resolve(override({}, ["model.dtype=bfloat16"]))
    base = load_base(config.model, "cuda")
    trainer = started(method, base, verifier, "model.dtype=bfloat16", "training.steps=3")
    steps = [trainer.train_step().metrics for _ in range(3)]
    assert any(step["groups_used"] for step in steps)
    assert max(float(step["kl_train_sampler"] or 0) for step in steps) < 0.01
    assert base.fingerprint() == load_base(config.model).fingerprint()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_gradients_of_long_completions_have_the_same_bits(verifier: Verifier, dtype: str) -> None:
    base = load_base(resolve({"model": {"dtype": dtype}}).model, "cuda")
    never = base.tokenizer.convert_tokens_to_ids("<pad>")  # never drawn
    base.tokenizer.eos_token = "<pad>"
    base.model.generation_config.eos_token_id = base.model.config.eos_token_id = never
    settings = (f"model.dtype={dtype}", "sampling.max_new_tokens=1500")
    trainers = [started("dora", base, verifier, *settings) for _ in range(3)]
    completions = sample_all(
        trainers[0].sampler,
        ["1+2=", "(3+4)*5="],
        [list(range(4)), list(range(4, 8))],
        temperature=1.0,
        max_new_tokens=1500,
        stop=None,
    )
    rewards = tuple(Reward(float(n % 2), bool(n % 2), "", 0.0) for n in range(4))
    groups = [Group(Problem("", "", ""), tuple(group), rewards) for group in completions]
    assert all(trainer.learn(groups)["groups_used"] == 2 for trainer in trainers)
    first, *others = (trainer.policy.trainable() for trainer in trainers)
    for name, parameter in first.items():
        assert parameter.grad is not None and parameter.grad.any(), name
        for other in others:
            assert torch.equal(other[name].grad, parameter.grad), name


def verirank(*arguments: str) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-m", "verirank", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("method", "dtype"), [("dora", "bfloat16"), ("full", "float32")])
def test_a_run_begun_again_has_the_same_bits(tmp_path: Path, method: str, dtype: str) -> None:
    settings = [f"model.dtype={dtype}", f"method.name={method}", *SMALL, "checkpoint.every=2"]
    given = ["train", "--device", "cuda", "--steps", "6"]
    given += [part for setting in settings for part in ("--set", setting)]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    verirank(*given, "--out", str(whole))
    verirank(*given, "--out", str(parts))
    # As if it had been killed after its second checkpoint.
    newest = max((parts / "checkpoints").iterdir(), key=lambda one: one.name)
    shutil.rmtree(newest)
    shutil.rmtree(parts / "adapter")
    manifest = json.loads((parts / "manifest.json").read_text())
    (parts / "manifest.json").write_text(json.dumps(manifest | {"status": "running"}))
    verirank("train", "--resume", str(parts))
    one, other = (load_file(run / "adapter" / "state.safetensors") for run in (whole, parts))
    for name, tensor in one.items():
        assert torch.equal(other[name], tensor), name
    rollouts = [pq.read_table(run / "rollouts").to_pylist() for run in (whole, parts)]
    assert rollouts[0] == rollouts[1]


def test_a_study_runs_on_the_gpu(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text(STUDY)
    verirank("study", "run", str(study), "--out", str(tmp_path / "store"))
    manifests = [json.loads(p.read_text()) for p in (tmp_path / "store").rglob("manifest.json")]
    trained = [m for m in manifests if "device" in m]
    assert len(trained) >= 2
    assert {m["device"] for m in trained} == {"cuda:0"}
    assert {m["status"] for m in trained} == {"done"}
