"""Every evaluation sample of a bench, as a table."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from verirank.config import TrialConfig, waited_seconds
from verirank.evaluation._votes import votes_by_text, votes_by_value
from verirank.processes import collect, own_part
from verirank.sampling import Completion, Sampler, sample_all, sample_seed
from verirank.tasks import Problem, Task, bench_settings, grade
from verirank.verifier import Reward, Verifier

_SCHEMA = pa.schema(
    {
        "stage": pa.string(),
        "problem": pa.string(),
        "group": pa.string(),
        "prompt": pa.string(),
        "gold": pa.string(),
        "sample": pa.int32(),
        "correct": pa.bool_(),
        "reward": pa.float32(),
        "components": pa.map_(pa.string(), pa.float64()),
        "answer": pa.string(),
        "vote": pa.int32(),
        "completion": pa.string(),
        "length": pa.int32(),
        "truncated": pa.bool_(),
        "reason": pa.string(),
        "seed": pa.int64(),
    }
)


FIRST_PROBLEMS, FIRST_SAMPLES = 16, 8
"""The training problems, and the completions of each, by which a base is judged before training."""


def sample_bench(
    sampler: Sampler,
    verifier: Verifier,
    task: Task,
    bench: str,
    config: TrialConfig,
    stage: str,
) -> pa.Table:
    """Sample and grade every problem of a bench, as often as the trial or else the bench says.

    With several processes, each samples a part of the problems and all return all rows.

    Args:
        sampler: serves the weights to be scored.
        verifier: judges the answers.
        task: has the bench.
        bench: its name.
        config: the trial's; below its seed every sample has a stream of its own.
        stage: `before` or `after` training, kept as a column.

    Returns:
        A row a sample, in the order of problems and samples. Samples of a problem with the same
        `vote` state the same answer.
    """
    settings = bench_settings(task, bench, config)
    problems = task.bench(bench, settings.problems)
    seeds_PK = [
        [
            sample_seed(config.seed, "evaluation", bench, problem.id, k)
            for k in range(settings.samples)
        ]
        for problem in problems
    ]
    asked = list(zip(problems, seeds_PK, strict=True))
    mine = own_part(asked)
    completions = _complete(sampler, task, mine, config, settings.temperature)
    return _graded(verifier, task, mine, completions, stage)


def sample_training_problems(
    sampler: Sampler, verifier: Verifier, task: Task, config: TrialConfig
) -> pa.Table:
    """Sample and grade 16 training problems 8 times each, as training does; stage is `training`.

    They are the first of the trial's training stream; the samples have seeds of their own. The
    table's metadata holds `seconds`, of sampling alone, `waited`, how many of them this
    thread waited for a core (where the system tells it), and `prompt_tokens`, their mean.
    """
    asked = [
        (
            task.training_problem(config.seed, position),
            [sample_seed(config.seed, "outlook", position, k) for k in range(FIRST_SAMPLES)],
        )
        for position in range(FIRST_PROBLEMS)
    ]
    started, waited_before = time.perf_counter(), waited_seconds()
    mine = own_part(asked)
    completions = _complete(sampler, task, mine, config, config.sampling.temperature)
    seconds, waited = time.perf_counter() - started, waited_seconds()
    samples = _graded(verifier, task, mine, completions, "training")
    prompts = [task.render(problem, sampler.tokenizer) for problem, _ in asked]
    tokens = sum(len(sampler.tokenizer(prompt)["input_ids"]) for prompt in prompts)
    measured = {"seconds": str(seconds), "prompt_tokens": str(tokens / len(prompts))}
    if waited is not None and waited_before is not None:
        measured["waited"] = str(waited - waited_before)
    return samples.replace_schema_metadata(measured)


_Asked = Sequence[tuple[Problem, list[int]]]
"""Problems, each with the seeds of its samples."""


def _complete(
    sampler: Sampler, task: Task, asked: _Asked, config: TrialConfig, temperature: float
) -> list[list[Completion]]:
    """Return a group of completions a problem."""
    return sample_all(
        sampler,
        [task.render(problem, sampler.tokenizer) for problem, _ in asked],
        [seeds for _, seeds in asked],
        temperature=temperature,
        max_new_tokens=config.sampling.max_new_tokens or task.max_new_tokens,
        stop=task.stop,
        reply=task.reply,
    )


def _graded(
    verifier: Verifier,
    task: Task,
    asked: _Asked,
    completions: list[list[Completion]],
    stage: str,
) -> pa.Table:
    """Return a row a completion, of all processes."""
    problems = [problem for problem, _ in asked]
    texts = [[completion.text for completion in group] for group in completions]
    rewards = grade(task, verifier, problems, texts)
    answers = [[task.extract(text) for text in group] for group in texts]
    if task.answers_by_value:
        correct = [[reward.correct for reward in group] for group in rewards]
        votes = votes_by_value(verifier, answers, correct)
    else:
        votes = votes_by_text(answers)
    rows = [
        {"stage": stage, "sample": k, "answer": answer, "vote": vote}
        | _row(problem, completion, reward)
        | {"truncated": completion.truncated and not task.is_whole_at_limit}
        for problem, *samples in zip(problems, completions, rewards, answers, votes, strict=True)
        for k, (completion, reward, answer, vote) in enumerate(zip(*samples, strict=True))
    ]
    return pa.Table.from_pylist(collect(rows), schema=_SCHEMA)


def _row(problem: Problem, completion: Completion, reward: Reward) -> dict[str, Any]:
    return {
        "problem": problem.id,
        "group": problem.group,
        "prompt": problem.text,
        "gold": problem.answer,
        "correct": reward.correct,
        "reward": reward.value,
        "components": list(reward.components.items()) or None,
        "completion": completion.text,
        "length": completion.length,
        "reason": reward.reason,
        "seed": completion.seed,
    }
