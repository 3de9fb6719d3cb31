import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from verirank.config import InputError
from verirank.tasks import Problem
from verirank.tasks._templates import INSTRUCTION, render_prompt
from verirank.tasks.math import Math, MathConfig

R1 = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}"
    "<User>{{ m['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<Assistant>{% endif %}"
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1)


def tokenizer(template: str | None, *, adds_bos: bool = False) -> PreTrainedTokenizerFast:
    specials = {"<bos>": 0, "<unk>": 1}
    letters = {chr(code): code - 30 for code in range(32, 127)}
    inner = Tokenizer(models.WordLevel({**specials, **letters, "\n": 98}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    if adds_bos:
        inner.post_processor = processors.TemplateProcessing(
            single="<bos> $A", pair=None, special_tokens=[("<bos>", 0)]
        )
    made = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<bos>", unk_token="<unk>")
    made.chat_template = template
    return made


@given(TEXTS)
def test_plain_is_the_text_as_it_stands(text):
    assert render_prompt(text, "plain", tokenizer(None)) == text


@given(TEXTS.filter(lambda text: text == text.strip()))
def test_chat_holds_the_text_and_the_instruction_in_the_users_turn(text):
    rendered = render_prompt(text, "chat", tokenizer(R1))
    assert rendered == f"<bos><User>{text}\n{INSTRUCTION}<Assistant>"


@pytest.mark.parametrize("ending", ["", "<think>\n"])
def test_r1_distill_opens_the_thinking_once_whether_or_not_the_template_does(ending):
    template = R1.replace("<Assistant>", "<Assistant>" + ending)
    rendered = render_prompt("1+1?", "r1-distill", tokenizer(template))
    assert rendered.endswith("<Assistant><think>\n")
    assert rendered.count("<think>") == 1


@pytest.mark.parametrize("adds_bos", [True, False])
def test_the_tokens_begin_with_one_mark_and_are_those_of_the_chat_template(adds_bos):
    made = tokenizer(R1, adds_bos=adds_bos)
    turns = [{"role": "user", "content": f"1+1?\n{INSTRUCTION}"}]
    wanted = made.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
    tokens = made(render_prompt("1+1?", "chat", made)).input_ids
    assert tokens == wanted
    assert tokens.count(made.bos_token_id) == 1


def test_a_model_without_a_chat_template_is_an_input_error_that_says_what_to_set():
    with pytest.raises(InputError, match=r"no chat template; set task\.template=plain"):
        render_prompt("1+1?", "chat", tokenizer(None))


def test_a_task_renders_by_the_template_of_its_settings():
    problem = Problem("1", "1+1?", "2")
    task = Math(MathConfig(template="r1-distill"))
    assert task.render(problem, tokenizer(R1)).endswith("<think>\n")
    assert Math(MathConfig(template="plain")).render(problem, tokenizer(None)) == "1+1?"
