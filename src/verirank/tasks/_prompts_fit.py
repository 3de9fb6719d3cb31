"""Whether a model can take every prompt that a trial will give it, told before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from verirank.config import InputError, TrialConfig
from verirank.tasks._problem import Problem, Task
from verirank.tasks._registry import bench_settings

if TYPE_CHECKING:
    from verirank.models import BaseModel, Reader

_TOLD = 5
_AROUND = 8
"""Tokens that a tokenizer may put around a text by itself."""


def expect_prompts_fit(
    task: Task, config: TrialConfig, base: BaseModel | Reader, *, training: bool = True
) -> None:
    """Refuse prompts that are too long for a model, or that hold tokens it has no embedding of.

    Args:
        task: of the trial.
        config: the trial's; says which benches are asked, and how long completions may be.
        base: the trial's model, or what reads its prompts.
        training: whether the task's own problems are asked, too: all of a set, and the first of
            those that a generator makes.

    Raises:
        InputError: there are such prompts; the message names the first of them.
    """
    tokenizer, context, embeddings = base.tokenizer, base.context, base.embeddings
    limit = _most_new_tokens(task, config)
    unknown_ids = max(tokenizer.get_vocab().values()) >= embeddings
    long: list[tuple[int, str]] = []
    unknown: list[str] = []
    problems = _asked(task, config, training=training)
    for problem in problems:
        text = task.render(problem, tokenizer)
        # A token is one byte at least, so that most prompts need not be tokenised.
        if not unknown_ids and (context is None or len(text.encode()) + _AROUND + limit <= context):
            continue
        tokens: Sequence[int] = tokenizer(text).input_ids
        if context is not None and len(tokens) + limit > context:
            long.append((len(tokens), problem.id))
        if max(tokens, default=0) >= embeddings:
            unknown.append(problem.id)
    if unknown:
        raise InputError(
            f"{len(unknown)} of {len(problems)} prompts hold tokens beyond the model's "
            f"{embeddings} embeddings ({_ids(unknown)}); use the tokenizer that the model was "
            "trained with"
        )
    if long:
        most, free = max(long)[0], (context or 0) - max(long)[0]
        lower = f"lower sampling.max_new_tokens to {free}, or " if free > 0 else ""
        raise InputError(
            f"{len(long)} of {len(problems)} prompts with {limit} new tokens exceed the model's "
            f"{context} tokens ({_ids([name for _, name in long])}; the longest prompt has {most} "
            f"tokens): {lower}leave out long problems"
        )


def longest_sequence(
    task: Task, config: TrialConfig, base: BaseModel, *, training: bool = True
) -> int | None:
    """Return a bound on the tokens of a prompt with its completion; None of a generator's problems.

    Args:
        task: of the trial.
        config: the trial's.
        base: the trial's model.
        training: see `expect_prompts_fit`.
    """
    if not task.split_sizes():
        return None
    texts = [
        task.render(problem, base.tokenizer) for problem in _asked(task, config, training=training)
    ]
    prompts = base.tokenizer(texts).input_ids
    return max(map(len, prompts)) + _most_new_tokens(task, config)


def _most_new_tokens(task: Task, config: TrialConfig) -> int:
    """Return the most tokens of a completion and of the replies in it."""
    return (config.sampling.max_new_tokens or task.max_new_tokens) + task.reply_tokens


def _asked(task: Task, config: TrialConfig, *, training: bool) -> list[Problem]:
    problems = list(task.own_problems()) if training else []
    for bench in config.evaluation.sampled:
        problems += task.bench(bench, bench_settings(task, bench, config).problems)
    return list(dict.fromkeys(problems))


def _ids(some: Sequence[str]) -> str:
    return "ids " + ", ".join(some[:_TOLD]) + (", ..." if len(some) > _TOLD else "")
