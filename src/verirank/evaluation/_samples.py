"""Every evaluation sample of a bench, as a table."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from verirank.config import TrialConfig
from verirank.processes import collect, share
from verirank.sampling import Completion, Sampler, sample_seed
from verirank.tasks import Problem, Task, bench_settings, grade
from verirank.verifier import Reward, Verifier

_SCHEMA = pa.schema(
    {
        "stage": pa.string(),
        "problem": pa.string(),
        "prompt": pa.string(),
        "gold": pa.string(),
        "sample": pa.int32(),
        "correct": pa.bool_(),
        "answer": pa.string(),
        "completion": pa.string(),
        "length": pa.int32(),
        "truncated": pa.bool_(),
        "reason": pa.string(),
        "seed": pa.int64(),
    }
)


def sample_bench(
    sampler: Sampler,
    verifier: Verifier,
    task: Task,
    bench: str,
    config: TrialConfig,
    stage: str,
) -> pa.Table:
    """Sample and grade every problem of a bench, as often as the trial or else the bench says.

    Of several processes each takes its share of the problems, and all return all rows.

    Args:
        sampler: serves the weights to be scored.
        verifier: judges the answers.
        task: has the bench.
        bench: its name.
        config: the trial's; below its seed every sample has a stream of its own.
        stage: `before` or `after` training, kept as a column.

    Returns:
        A row a sample, in the order of problems and samples.
    """
    settings = bench_settings(task, bench, config)
    problems = share(task.bench(bench, settings.problems))
    completions = sampler.sample(
        [task.render(problem, sampler.tokenizer) for problem in problems],
        [
            [
                sample_seed(config.seed, "evaluation", bench, problem.id, k)
                for k in range(settings.samples)
            ]
            for problem in problems
        ],
        temperature=settings.temperature,
        max_new_tokens=config.sampling.max_new_tokens or task.max_new_tokens,
        stop=task.stop,
    )
    texts = [[completion.text for completion in group] for group in completions]
    rewards = grade(task, verifier, problems, texts)
    rows = [
        _row(stage, task, problem, k, completion, reward)
        for problem, group, verdicts in zip(problems, completions, rewards, strict=True)
        for k, (completion, reward) in enumerate(zip(group, verdicts, strict=True))
    ]
    return pa.Table.from_pylist(collect(rows), schema=_SCHEMA)


def _row(
    stage: str, task: Task, problem: Problem, k: int, completion: Completion, reward: Reward
) -> dict[str, Any]:
    return {
        "stage": stage,
        "problem": problem.id,
        "prompt": problem.prompt,
        "gold": problem.answer,
        "sample": k,
        "correct": reward.correct,
        "answer": task.extract(completion.text),
        "completion": completion.text,
        "length": len(completion.tokens),
        "truncated": completion.truncated,
        "reason": reward.reason,
        "seed": completion.seed,
    }
