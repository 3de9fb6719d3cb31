"""What a task asks a model, seen before anything is trained: prompts, golds, splits, lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from verirank.tasks._problem import Problem, Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SAMPLED = 256
_TOLD = 5
"""Problems that a warning names."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Token counts of many texts: smallest, median and largest."""

    least: int
    median: int
    most: int


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A problem as the model is given it, and its gold answer."""

    id: str
    text: str
    gold: str
    tokens: int


@dataclass(frozen=True, slots=True)
class TaskPreview:
    """A task on a model's tokenizer.

    `splits` counts the problems of each split or bench, up to 256 where a generator makes them;
    `remarks` are sentences on the set as a whole, `warnings` those that say what to change.
    """

    splits: dict[str, int]
    prompt_tokens: Lengths
    gold_tokens: Lengths
    max_new_tokens: int
    prompts: tuple[RenderedPrompt, ...]
    warnings: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def preview_task(
    task: Task,
    tokenizer: PreTrainedTokenizerBase,
    *,
    context: int | None = None,
    max_new_tokens: int | None = None,
    shown: int = 3,
) -> TaskPreview:
    """Return what a task asks: its first prompts, and token lengths over up to 256 of them.

    Args:
        task: which problems, and how they are prompted.
        tokenizer: the model's.
        context: the most tokens that the model takes; None where it has no limit.
        max_new_tokens: the trial's limit on a completion; the task's own by default.
        shown: how many prompts to return.

    Raises:
        InputError: the template needs a chat template and the tokenizer has none.
    """
    limit = max_new_tokens or task.max_new_tokens
    problems = _training_problems(task)
    prompts = [_rendered(task, problem, tokenizer) for problem in problems]
    golds = [len(tokenizer(problem.answer).input_ids) for problem in problems]
    lengths = [prompt.tokens for prompt in prompts]
    return TaskPreview(
        splits=_splits(task),
        prompt_tokens=_lengths(lengths),
        gold_tokens=_lengths(golds),
        max_new_tokens=limit,
        prompts=tuple(prompts[:shown]),
        warnings=(
            *_unwritable(task, problems, prompts, tokenizer),
            *_warnings(task, tokenizer, prompts, golds, limit, context),
        ),
        remarks=task.remarks(),
    )


def _training_problems(task: Task) -> list[Problem]:
    drawn = (task.training_problem(0, index) for index in range(_SAMPLED))
    return list({problem.id: problem for problem in drawn}.values())


def _splits(task: Task) -> dict[str, int]:
    own = [name for name in ("test", "selection") if name in task.benches]
    sizes = task.split_sizes()
    return sizes or {name: len(task.bench(name, _SAMPLED)) for name in own}


def _rendered(task: Task, problem: Problem, tokenizer: PreTrainedTokenizerBase) -> RenderedPrompt:
    text = task.render(problem, tokenizer)
    return RenderedPrompt(problem.id, text, problem.answer, len(tokenizer(text).input_ids))


def _lengths(counts: Sequence[int]) -> Lengths:
    return Lengths(min(counts), round(median(counts)), max(counts))


def _named(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_TOLD]) + (" ..." if len(ids) > _TOLD else "")


def _unwritable(
    task: Task,
    problems: Sequence[Problem],
    prompts: Sequence[RenderedPrompt],
    tokenizer: PreTrainedTokenizerBase,
) -> Iterator[str]:
    """Yield what the tokenizer drops of prompts and golds, which the model then never sees."""
    dropped = {prompt.id: _dropped(prompt.text, tokenizer) for prompt in prompts}
    if lost := [id for id, signs in dropped.items() if signs]:
        signs = "".join(sorted(dropped[lost[0]]))
        yield (
            f"{len(lost)} of {len(prompts)} prompts hold characters that the tokenizer drops "
            f"(problem {lost[0]}: {signs[:40]!r}): the model does not see them"
        )
    golds = [problem.id for problem in problems if _dropped(problem.answer, tokenizer)]
    if task.answers_by_value and golds:
        yield (
            f"{len(golds)} of {len(problems)} gold answers hold characters that the tokenizer "
            f"cannot write (ids {_named(golds)}): no sample can be right there"
        )


def _dropped(text: str, tokenizer: PreTrainedTokenizerBase) -> set[str]:
    """Return the characters of a text that are in none of its tokens, but for spaces."""
    known = "".join(str(tokenizer.decode(tokenizer(text).input_ids)).split())
    return {sign for sign in text if not sign.isspace()} - set(known)


def _warnings(
    task: Task,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[RenderedPrompt],
    golds: Sequence[int],
    limit: int,
    context: int | None,
) -> Iterator[str]:
    alone = [p.id for p in prompts if context is not None and p.tokens >= context]
    if alone:
        yield (
            f"{len(alone)} of {len(prompts)} prompts fill the model's {context} tokens by "
            f"themselves (ids {_named(alone)}): leave these problems out"
        )
    with_answers = [p for p in prompts if context is not None and p.tokens + limit > context]
    if len(with_answers) > len(alone):
        yield (
            f"{len(with_answers) - len(alone)} of {len(prompts)} prompts and {limit} new tokens "
            f"exceed the model's {context} tokens: lower sampling.max_new_tokens, or leave out "
            "long problems"
        )
    if task.answers_by_value and max(golds) > limit:
        yield (
            f"a gold answer of {max(golds)} tokens cannot be written in {limit} new tokens: "
            "raise sampling.max_new_tokens"
        )
    if getattr(task.config, "template", None) == "auto" and not tokenizer.chat_template:
        yield (
            "the model has no chat template, so problems are asked as bare text: set "
            "task.template=few-shot to show it four solved problems first"
        )
