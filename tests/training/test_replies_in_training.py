"""A tool's tokens are read by the model and trained on by nobody."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from verirank.algorithms import Group
from verirank.config import TrialConfig, load_plugin, override, resolve
from verirank.evaluation import sample_bench, score
from verirank.methods import Policy
from verirank.models import BaseModel
from verirank.record import Run, read_all_rollouts
from verirank.sampling import TransformersSampler, sample_all, sample_seed
from verirank.tasks import load_task
from verirank.training import StartCompletions, Trainer, rewards_of, train
from verirank.training._batch import advantages_of, prepare
from verirank.verifier import Reward, Verifier

SMALL = [
    "task.name=calculator",
    "sampling.problems_per_step=3",
    "sampling.group_size=4",
    "sampling.max_new_tokens=40",
    "training.warmup_steps=1",
]
TIMES = ("seconds", "tokens_per_second", "peak_memory_bytes")


def trial(*settings: str) -> TrialConfig:
    return resolve(override({}, [*SMALL, *settings]))


@pytest.fixture(scope="module")
def groups(base: BaseModel) -> list[Group]:
    """Three problems of four completions, with a reward for every other one."""
    task = load_task(trial().task)
    problems = [task.training_problem(0, index) for index in range(3)]
    made = sample_all(
        TransformersSampler(base),
        [problem.prompt for problem in problems],
        [[sample_seed("replies", p, g) for g in range(4)] for p in range(3)],
        temperature=1.0,
        max_new_tokens=40,
        stop=task.stop,
        reply=task.reply,
    )
    rewards = tuple(Reward(value, value == 1, "", 0.0) for value in (1.0, 0.0, 1.0, 0.0))
    assert sum(len(c.replies) for group in made for c in group) > 4
    return [Group(p, tuple(c), rewards) for p, c in zip(problems, made, strict=True)]


def gradients(trainer: Trainer, groups: list[Group]):
    """Return the gradient of every trainable tensor on a batch, and the metrics."""
    batch = prepare(groups, trainer.algorithm, max_new_tokens=40, most_tokens=256)
    trainer._remember_reference(batch)
    metrics = trainer._accumulate_gradients(batch)
    found = dict[str, torch.Tensor]()
    for name, parameter in trainer.policy.trainable().items():
        assert parameter.grad is not None
        found[name] = parameter.grad.clone()
    return found, metrics


@pytest.mark.parametrize("algorithm", ["grpo", "dapo", "gspo"])
def test_the_gradient_is_the_closed_form_over_the_models_own_tokens(
    base: BaseModel, verifier: Verifier, groups: list[Group], algorithm: str
) -> None:
    config = trial(f"algorithm.name={algorithm}", "algorithm.importance_cap=0")
    trainer = Trainer(config, base, TransformersSampler(base), verifier)
    made, metrics = gradients(trainer, groups)
    # Another policy of the same beginning: the trainer's computes packed tokens alone.
    plain = Policy.create(base, config.method, seed=config.seed, total_steps=1)
    advantages_PG = advantages_of(groups, trainer.algorithm, 40)
    completions = [c for group in groups for c in group.completions]
    every = sum(completion.length for completion in completions)
    loss, logprobs_sum = torch.zeros(()), 0.0
    for completion, advantage in zip(completions, advantages_PG.flatten(), strict=True):
        tokens = torch.tensor([[*completion.prompt_tokens, *completion.tokens]])
        logprobs = plain.model(tokens).logits[0].log_softmax(-1)[:-1]
        chosen_T = logprobs.gather(1, tokens[0, 1:, None])[len(completion.prompt_tokens) - 1 :, 0]
        # At the first update the ratio is 1, so that its gradient is the log-probability's.
        own = chosen_T[torch.tensor(completion.own)]
        tokens_counted = every if algorithm == "dapo" else completion.length * len(completions)
        loss = loss - advantage * own.sum() / tokens_counted
        logprobs_sum += float(own.detach().sum())
    names, parameters = zip(*plain.trainable().items(), strict=True)
    expected = torch.autograd.grad(loss, parameters)
    scale = max(float(gradient.abs().max()) for gradient in expected)
    assert scale > 1e-4
    for name, gradient in zip(names, expected, strict=True):
        torch.testing.assert_close(made[name], gradient, rtol=1e-4, atol=1e-5 * scale)
    assert metrics["entropy"] == pytest.approx(-logprobs_sum / every, rel=1e-4)


def test_what_is_said_of_a_replys_tokens_changes_no_gradient_and_no_metric(
    base: BaseModel, verifier: Verifier, groups: list[Group]
) -> None:
    config = trial("algorithm.kl_coefficient=0.1", "algorithm.inner_updates=2")
    trainer = Trainer(config, base, TransformersSampler(base), verifier)
    made, metrics = gradients(trainer, groups)
    other = [
        replace(
            group,
            completions=tuple(
                replace(
                    c,
                    logprobs=tuple(
                        logprob if own else -9.0
                        for logprob, own in zip(c.logprobs, c.own, strict=True)
                    ),
                )
                for c in group.completions
            ),
        )
        for group in groups
    ]
    again, same = gradients(trainer, other)
    assert all(made[name].equal(again[name]) for name in made)
    assert same == metrics


def test_rollouts_hold_the_mask_and_lengths_count_own_tokens(
    tmp_path: Path, base: BaseModel, verifier: Verifier
) -> None:
    run = Run.create(tmp_path / "run", trial("training.steps=1"))
    train(run, base, TransformersSampler(base), verifier)
    rows = read_all_rollouts(run)
    assert any("0" in row["own"] for row in rows)
    for row in rows:
        assert row["own"].count("1") == row["length"]
        tokens = base.tokenizer(row["completion"]).input_ids
        ended = not row["truncated"] and not row["completion"].endswith("=")
        assert len(row["own"]) == len(tokens) + ended  # the end of the sequence is no text
        task = load_task(run.config.task)
        text = ""
        for token, own in zip(tokens, row["own"], strict=False):
            if own == "0" and text.endswith("="):
                value = task.reply(text, 0)
                assert value and row["completion"].startswith(text + value)
            text += str(base.tokenizer.decode([token]))
    (metrics,) = run.metrics()
    mean = sum(row["length"] for row in rows) / len(rows)
    assert metrics["completion_length_mean"] == pytest.approx(mean)


def test_a_stopped_run_goes_on_to_the_same_bits(
    tmp_path: Path, base: BaseModel, verifier: Verifier
) -> None:
    settings = ("training.steps=3", "checkpoint.every=1", "algorithm.name=dapo")
    runs = [Run.create(tmp_path / name, trial(*settings)) for name in ("whole", "stopped")]
    train(runs[0], base, TransformersSampler(base), verifier)
    train(runs[1], base, TransformersSampler(base), verifier, until=1)
    train(runs[1], base, TransformersSampler(base), verifier)
    lines = [
        [{k: v for k, v in line.items() if not k.startswith(TIMES)} for line in run.metrics()]
        for run in runs
    ]
    assert lines[0] == lines[1]
    ours, theirs = (load_file(run.folder / "adapter" / "state.safetensors") for run in runs)
    assert all(ours[name].equal(theirs[name]) for name in ours)


def test_a_start_from_data_has_the_tools_replies_and_their_mask(
    base: BaseModel, verifier: Verifier
) -> None:
    config = trial("method.name=lora-ga", "method.rank=8", "method.problems=4")
    task = load_task(config.task)
    data = StartCompletions.sample(
        *(config, base, TransformersSampler(base), task),
        rewards=rewards_of(config, task, verifier, None),
        algorithm=load_plugin("algorithm", "grpo")(config.algorithm),
        max_new_tokens=40,
        most_padded=None,
    )
    completions = [completion for group in data.groups for completion in group.completions]
    assert any(completion.replies for completion in completions)
    counted = sum(int(part.tokens.mask_NT.sum()) for part in data.parts)
    assert counted == sum(completion.length for completion in completions)


def test_a_bench_is_scored_with_the_calculator(base: BaseModel, verifier: Verifier) -> None:
    config = trial("evaluation.problems=8", "evaluation.samples=4")
    task = load_task(config.task)
    samples = sample_bench(TransformersSampler(base), verifier, task, "test", config, "before")
    scores = score(samples)
    assert (scores["k"], scores["n"]) == (4, 8)
    assert scores["avg_at_k"] > 0
    assert all(length <= 40 for length in samples["length"].to_pylist())
