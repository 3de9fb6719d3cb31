"""A real GRPOTrainer trains VeriRank's methods on the real micro model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, TrainerCallback

from verirank.config import CONTENDERS, InputError, ModelConfig, TaskConfig, VerifierConfig
from verirank.integrations.trl import TRLParts, parts_for_trl, reward_function, training_rows
from verirank.methods import method_config
from verirank.models import BaseModel, load_base
from verirank.tasks import load_task
from verirank.verifier import Verifier

# TRL's and its imports' own deprecations.
pytestmark = pytest.mark.filterwarnings("ignore")

STEPS = 3
DOCUMENT = Path(__file__).parents[2] / "docs" / "trl.md"


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(ModelConfig())


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with Verifier(VerifierConfig()) as verifier:
        yield verifier


@pytest.fixture(scope="module")
def task():
    return load_task(TaskConfig())


def grpo_config(folder: Path, **settings):
    from trl import GRPOConfig

    defaults = {
        "output_dir": str(folder),
        "max_steps": STEPS,
        "learning_rate": 1e-3,
        "per_device_train_batch_size": 16,
        "num_generations": 8,
        "max_completion_length": 48,
        "gradient_checkpointing": False,
        "lr_scheduler_type": "constant",
        "bf16": False,
        "use_cpu": True,
        "report_to": [],
        "save_strategy": "no",
    }
    return GRPOConfig(**defaults | settings)


def train(base, task, verifier, args, method: str, *spies: TrainerCallback, **settings) -> TRLParts:
    """Train a method in TRL; spies stand around VeriRank's callback, the first one before it."""
    from trl import GRPOTrainer

    parts = parts_for_trl(base, method_config({"name": method, **settings}), args)
    trainer = GRPOTrainer(
        model=parts.model,
        args=args,
        processing_class=base.tokenizer,
        train_dataset=Dataset.from_list(training_rows(task, 32, seed=0)),
        reward_funcs=reward_function(task, verifier),
        optimizers=(parts.optimizer, None),
        callbacks=[*spies[:1], parts.callback, *spies[1:]],
    )
    trainer.train()
    return parts


class Gradients(TrainerCallback):
    """Keeps copies of all gradients just before the optimiser of the last step."""

    def __init__(self) -> None:
        self.found: dict[str, torch.Tensor] = {}

    def on_pre_optimizer_step(self, args, state, control, *, model, **_):
        named = model.named_parameters()
        self.found = {name: p.grad.clone() for name, p in named if p.grad is not None}


class TotalRanks(TrainerCallback):
    """Counts AdaLoRA's singular values after every step."""

    def __init__(self) -> None:
        self.found: list[int] = []

    def on_step_end(self, args, state, control, *, model, **_):
        named = model.named_parameters()
        self.found.append(sum(int((p != 0).sum()) for name, p in named if "lora_E" in name))


class Rates(TrainerCallback):
    """Keeps the rates of all optimiser groups."""

    def on_optimizer_step(self, args, state, control, *, optimizer, **_):
        self.found = [group["lr"] for group in optimizer.param_groups]


KINDS = {"lora", "dora", "pissa", "ia3", "full"}
"""One method of a kind; AdaLoRA, LoRA-FA and LoRA+ have tests of their own below."""


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(name, marks=() if name in KINDS else pytest.mark.thorough)
        for name in CONTENDERS
    ],
)
def test_a_method_trains_in_trl_and_the_base_stays_as_it_was(
    method, base, task, verifier, tmp_path
):
    before = base.fingerprint()
    parts = train(base, task, verifier, grpo_config(tmp_path), method)
    weights, plain = dict(parts.policy.effective_weights()), base.model.state_dict()
    assert any(not torch.allclose(w, plain[name], rtol=1e-7) for name, w in weights.items())
    assert base.fingerprint() == before


def test_adaloras_ranks_follow_the_schedule_of_the_trainers_steps(base, task, verifier, tmp_path):
    ranks = TotalRanks()
    train(base, task, verifier, grpo_config(tmp_path), "adalora", ranks, rank=8)
    # 28 linears: one step of warm-up, then the target of half the rank.
    assert ranks.found == [28 * 8, 28 * 4, 28 * 4]


def test_adaloras_penalty_is_in_the_gradient(base, task, verifier, tmp_path):
    before, after = Gradients(), Gradients()
    args = grpo_config(tmp_path, max_grad_norm=0)
    parts = train(base, task, verifier, args, "adalora", before, after)
    name = next(name for name in after.found if "lora_A" in name)
    assert float((after.found[name] - before.found[name]).norm()) > 1e-4
    assert parts.policy.method.penalty(parts.policy) is not None


def test_lora_fa_steps_along_the_projected_gradient(base, task, verifier, tmp_path):
    before, after = Gradients(), Gradients()
    args = grpo_config(tmp_path, max_grad_norm=0)
    parts = train(base, task, verifier, args, "lora-fa", before, after, rank=8)
    frozen = dict(parts.model.named_parameters())
    assert before.found.keys() == after.found.keys()
    for name, gradient in before.found.items():
        a = frozen[name.replace("lora_B", "lora_A")]
        assert float(gradient.norm()) > 0
        expected = gradient @ torch.linalg.inv(a @ a.T) / 4  # the scale is 2
        torch.testing.assert_close(after.found[name], expected, rtol=1e-3, atol=1e-6)


def test_the_gradient_is_clipped_behind_the_projection(base, task, verifier, tmp_path):
    before, after = Gradients(), Gradients()
    args = grpo_config(tmp_path, max_grad_norm=1e-3)
    train(base, task, verifier, args, "lora-fa", before, after)
    norms = [
        float(torch.stack([g.norm() for g in spy.found.values()]).norm()) for spy in (before, after)
    ]
    assert norms[0] > 1e-3
    assert norms[1] == pytest.approx(1e-3, rel=1e-3)


def test_lora_plus_keeps_its_two_rates(base, task, verifier, tmp_path):
    rates = Rates()
    train(base, task, verifier, grpo_config(tmp_path), "lora-plus", rates)
    assert rates.found == pytest.approx([1e-3, 16e-3])


def test_the_methods_own_rate_goes_before_the_trainers(base, tmp_path):
    method = method_config({"name": "lora", "learning_rate": 0.5})
    parts = parts_for_trl(base, method, grpo_config(tmp_path))
    assert parts.optimizer.param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"max_steps": -1}, "set max_steps"),
        ({"use_vllm": True}, "set use_vllm=False"),
        ({"beta": 0.04}, "set beta=0"),
    ],
)
def test_settings_that_would_train_something_else_are_refused(settings, advice, base, tmp_path):
    args = grpo_config(tmp_path, **settings)
    with pytest.raises(InputError, match=advice):
        parts_for_trl(base, method_config({"name": "lora"}), args)


def test_a_bf16_base_needs_autocast(tmp_path):
    base = load_base(ModelConfig(dtype="bfloat16"))
    with pytest.raises(InputError, match="set bf16=True"):
        parts_for_trl(base, method_config({"name": "lora"}), grpo_config(tmp_path))


def test_a_trainer_of_another_length_is_refused(base, task, verifier, tmp_path):
    from trl import GRPOTrainer

    parts = parts_for_trl(base, method_config({"name": "adalora"}), grpo_config(tmp_path))
    trainer = GRPOTrainer(
        model=parts.model,
        args=grpo_config(tmp_path, max_steps=5),
        processing_class=base.tokenizer,
        train_dataset=Dataset.from_list(training_rows(task, 32, seed=0)),
        reward_funcs=reward_function(task, verifier),
        optimizers=(parts.optimizer, None),
        callbacks=[parts.callback],
    )
    with pytest.raises(InputError, match="made for 3 steps, the trainer takes 5"):
        trainer.train()


def test_the_reward_is_1_for_a_right_answer_and_0_for_any_other(task, verifier):
    reward = reward_function(task, verifier)
    texts = [r"<think>1+1=2</think>\boxed{2}", r"\boxed{3}", "2", ""]
    assert reward(prompts=["1+1="] * 4, completions=texts, answer=["2"] * 4) == [1, 0, 0, 0]


def test_the_reward_of_a_conversation_is_that_of_its_text(task, verifier):
    reward = reward_function(task, verifier)
    messages = [{"role": "assistant", "content": r"\boxed{2}"}]
    assert reward(prompts=["1+1="], completions=[messages], answer=["2"]) == [1]


def test_a_gold_answer_that_cannot_be_read_gives_no_reward(task, verifier):
    reward = reward_function(task, verifier)
    completions = [r"\boxed{2}"] * 2
    assert reward(prompts=["", ""], completions=completions, answer=["", "2"]) == [None, 1]


def test_a_completion_counts_up_to_the_tasks_stop(verifier):
    task = load_task(TaskConfig(name="few-shot-arithmetic"))
    problem = task.training_problem(0, 0)
    reward = reward_function(task, verifier)
    text = f" {problem.answer}\nQuestion: What is 1 + 1?\nAnswer: 2"
    assert reward(prompts=[""], completions=[text], answer=[problem.answer]) == [1]


def test_a_training_set_without_answers_is_refused(task, verifier):
    with pytest.raises(InputError, match="lacks the column 'answer'"):
        reward_function(task, verifier)(prompts=[""], completions=[""])


def test_the_example_in_the_document_trains_and_exports(base, tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(code, names)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "trl-model")
    weights = dict(names["parts"].policy.effective_weights())
    exported = model.state_dict()
    assert all(torch.equal(exported[name], weight) for name, weight in weights.items())
    assert names["base"].fingerprint() == base.fingerprint()
