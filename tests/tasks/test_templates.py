import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from verirank.config import InputError
from verirank.tasks import Problem
from verirank.tasks._answer_formats import INSTRUCTIONS
from verirank.tasks._templates import conclusion, few_shot_prompt, render_prompt
from verirank.tasks.math import Math, MathConfig

R1 = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}"
    "<User>{{ m['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<Assistant>{% endif %}"
)
INSTRUCTION = INSTRUCTIONS["boxed"]
ASKED = Problem("1", "1+1?", "2")
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
    assert render_prompt(Problem("1", text, "2"), "plain", tokenizer(None), INSTRUCTION) == text


@given(TEXTS.filter(lambda text: text == text.strip()))
def test_chat_holds_the_text_and_the_instruction_in_the_users_turn(text):
    rendered = render_prompt(Problem("1", text, "2"), "chat", tokenizer(R1), INSTRUCTION)
    assert rendered == f"<bos><User>{text}\n{INSTRUCTION}<Assistant>"


@pytest.mark.parametrize("ending", ["", "<think>\n"])
def test_r1_distill_opens_the_thinking_once_whether_or_not_the_template_does(ending):
    template = R1.replace("<Assistant>", "<Assistant>" + ending)
    rendered = render_prompt(ASKED, "r1-distill", tokenizer(template), INSTRUCTION)
    assert rendered.endswith("<Assistant><think>\n")
    assert rendered.count("<think>") == 1


@pytest.mark.parametrize("adds_bos", [True, False])
def test_the_tokens_begin_with_one_mark_and_are_those_of_the_chat_template(adds_bos):
    made = tokenizer(R1, adds_bos=adds_bos)
    turns = [{"role": "user", "content": f"1+1?\n{INSTRUCTION}"}]
    wanted = made.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
    tokens = made(render_prompt(ASKED, "chat", made, INSTRUCTION)).input_ids
    assert tokens == wanted
    assert tokens.count(made.bos_token_id) == 1


def test_a_model_without_a_chat_template_is_an_input_error_that_says_what_to_set():
    with pytest.raises(InputError, match=r"no chat template; set task\.template=few-shot"):
        render_prompt(ASKED, "chat", tokenizer(None), INSTRUCTION)


def test_a_task_renders_by_the_template_of_its_settings():
    problem = Problem("1", "1+1?", "2")
    task = Math(MathConfig(template="r1-distill"))
    assert task.render(problem, tokenizer(R1)).endswith("<think>\n")
    assert Math(MathConfig(template="plain")).render(problem, tokenizer(None)) == "1+1?"


def test_auto_uses_the_chat_template_where_there_is_one_and_bare_text_otherwise():
    assert render_prompt(ASKED, "auto", tokenizer(None), INSTRUCTION) == "1+1?"
    chat = render_prompt(ASKED, "chat", tokenizer(R1), INSTRUCTION)
    assert render_prompt(ASKED, "auto", tokenizer(R1), INSTRUCTION) == chat


def test_without_an_instruction_the_users_turn_holds_the_text_alone():
    assert render_prompt(ASKED, "chat", tokenizer(R1), "") == "<bos><User>1+1?<Assistant>"


def test_few_shot_shows_solved_problems_with_their_answers_in_the_form_that_is_asked_for():
    prompt = few_shot_prompt("3+3?", [Problem("1", "1+1?", "2")], r"\boxed{{}}")
    assert prompt == "Problem: 1+1?\nAnswer: \\boxed{2}\n\nProblem: 3+3?\nAnswer:"


@pytest.mark.parametrize(
    ("completion", "in_thought", "after"),
    [
        (r"so \boxed{1}</think> \boxed{2}", True, r" \boxed{2}"),
        (r"<think>\boxed{1}</think>\boxed{2}", False, r"\boxed{2}"),
        (r"<think>a</think>b<think>c</think>d", False, "d"),
        (r"\boxed{2}", False, r"\boxed{2}"),
        (r"so \boxed{1}", True, None),
        (r"<think>so \boxed{1}", False, None),
        (r"<think>a</think>\boxed{1}<think>wait", False, None),
    ],
)
def test_only_what_follows_the_last_thought_is_a_conclusion(completion, in_thought, after):
    assert conclusion(completion, in_thought=in_thought) == after


def test_an_answer_in_an_unclosed_thought_is_no_final_answer():
    problem, cut_off = Problem("1", "1+1?", "2"), r"so \boxed{2}"
    assert Math(MathConfig(template="r1-distill")).extract(cut_off) is None
    assert Math(MathConfig(template="plain")).extract(cut_off) == "2"
    task = Math(MathConfig(template="chat"))
    task.render(problem, tokenizer(R1))
    assert task.extract(cut_off) == "2"
    task.render(problem, tokenizer(R1.replace("<Assistant>", "<Assistant><think>")))
    assert task.extract(cut_off) is None
    assert task.extract(cut_off + "</think>**Answer**: 2") == "2"
