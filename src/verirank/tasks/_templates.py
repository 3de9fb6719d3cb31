r"""How a problem's text becomes what a model is given.

`plain` is the text as it stands. `chat` is the model's own chat template around the text and an
instruction to box the answer. `r1-distill` is the same with an opened `<think>`, as the cards of
the DeepSeek-R1 distillations recommend: no system prompt, the instruction in the user's turn, and
a response that is made to begin with `<think>\n`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from verirank.config import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Template = Literal["chat", "r1-distill", "plain"]

INSTRUCTION = r"Please reason step by step, and put your final answer within \boxed{}."
_THINK = "<think>\n"


def render_prompt(text: str, template: Template, tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the text that the tokenizer turns into a template's tokens.

    A beginning-of-sequence mark that the tokenizer adds to any text is left out, so that it does
    not stand twice.

    Raises:
        InputError: the template needs a chat template and the tokenizer has none.
    """
    if template == "plain":
        return text
    prompt = _conversation(text, tokenizer)
    if template == "r1-distill":
        prompt = prompt.removesuffix(_THINK) + _THINK
    mark = tokenizer.bos_token
    is_added = bool(mark) and tokenizer("").input_ids[:1] == [tokenizer.bos_token_id]
    return prompt.removeprefix(str(mark)) if is_added else prompt


def _conversation(text: str, tokenizer: PreTrainedTokenizerBase) -> str:
    if not tokenizer.chat_template:
        raise InputError("the model has no chat template; set task.template=plain")
    turns = [{"role": "user", "content": f"{text}\n{INSTRUCTION}"}]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
