r"""How a problem's text becomes a model's prompt.

- `auto`: `chat` for a tokenizer with a chat template, else `plain`.
- `chat`: the tokenizer's chat template around the text and an instruction on how to answer.
- `plain`: the text alone, of a conversation the texts of its turns.
- `few-shot`: four solved training problems before the text, for models without instruction tuning;
  a completion then ends with its first line.
- `r1-distill`: `chat` with an opened `<think>\n`, as the DeepSeek-R1 model cards recommend.

Where a prompt or a completion opens `<think>`, only what follows `</think>` may state the final
answer: a model that is cut off while it thinks has stated none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from verirank.config import InputError
from verirank.tasks._conversation import Turn
from verirank.tasks._problem import Problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ChatTemplate = Literal["auto", "chat", "plain", "r1-distill"]
Template = Literal[ChatTemplate, "few-shot"]

_THINK = "<think>\n"
_OPENED, _CLOSED = "<think>", "</think>"


def render_prompt(
    problem: Problem, template: ChatTemplate, tokenizer: PreTrainedTokenizerBase, instruction: str
) -> str:
    """Return the text that a model is given.

    A beginning-of-sequence token that the tokenizer adds by itself is not rendered a second time.

    Args:
        problem: what is asked.
        template: see above.
        tokenizer: the model's own.
        instruction: how to state the answer, after the last turn; empty for no instruction.

    Raises:
        InputError: the template needs a chat template and the tokenizer has none, or the chat
            template refuses the conversation.
    """
    turns = problem.turns or (Turn("user", problem.prompt),)
    if template == "plain" or (template == "auto" and not tokenizer.chat_template):
        return _without_bos("\n\n".join(turn.content for turn in turns), tokenizer)
    if instruction:
        turns = (*turns[:-1], Turn("user", f"{turns[-1].content}\n{instruction}"))
    prompt = _conversation(problem, turns, tokenizer)
    if template == "r1-distill":
        prompt = prompt.removesuffix(_THINK) + _THINK
    return _without_bos(prompt, tokenizer)


def _without_bos(prompt: str, tokenizer: PreTrainedTokenizerBase) -> str:
    """Return a prompt without the BOS at its beginning that the tokenizer adds once more."""
    bos = str(tokenizer.bos_token or "")
    is_added = bool(bos) and tokenizer("").input_ids[:1] == [tokenizer.bos_token_id]
    is_there = is_added and prompt.lstrip().startswith(bos)
    return prompt.lstrip().removeprefix(bos) if is_there else prompt


def opens_thought(prompt: str) -> bool:
    """Tell whether a prompt ends in an opened thought, so that a completion begins within it."""
    return prompt.rstrip().endswith(_OPENED)


def conclusion(completion: str, *, in_thought: bool) -> str | None:
    """Return what follows a completion's last thought, or None where that is not closed.

    Args:
        completion: a model's text.
        in_thought: whether its prompt opened a thought.
    """
    _, closed, after = completion.rpartition(_CLOSED)
    is_open = _OPENED in after or (in_thought and not closed)
    return None if is_open else after


def few_shot_prompt(text: str, examples: Sequence[Problem], form: str) -> str:
    """Return solved examples followed by the problem.

    Args:
        text: the problem.
        examples: training problems, shown with their answers.
        form: how an answer is written, with `{}` where it stands.
    """
    shown = [f"Problem: {e.prompt}\nAnswer: {form.replace('{}', e.answer)}\n\n" for e in examples]
    return "".join(shown) + f"Problem: {text}\nAnswer:"


def _conversation(
    problem: Problem, turns: Sequence[Turn], tokenizer: PreTrainedTokenizerBase
) -> str:
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        raise InputError(
            "the model has no chat template; set task.template=few-shot, or plain for bare text"
        )
    messages = [turn._asdict() for turn in turns]
    try:
        made = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except TemplateError as error:
        roles = ", ".join(turn.role for turn in turns)
        raise InputError(
            f"the model's chat template refuses problem {problem.id!r}, a conversation of {roles}: "
            f"{error}"
        ) from None
    return str(made)
