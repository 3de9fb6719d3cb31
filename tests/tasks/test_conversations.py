"""Prompts that are conversations: read from any form, and rendered once by the chat template."""

import csv
import json

import pytest
from test_templates import R1, tokenizer

from verirank.config import InputError, TaskConfig, resolve
from verirank.tasks import Problem, load_task
from verirank.tasks._columns import Columns
from verirank.tasks._conversation import Turn
from verirank.tasks._problem_list import problems_of
from verirank.tasks._templates import render_prompt

CHATML = (
    "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
ALTERNATING = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}" + CHATML
)
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "2+2?"},
    {"role": "assistant", "content": "4"},
    {"role": "user", "content": "And twice that?"},
]
SHAREGPT = [
    {"from": {"user": "human", "assistant": "gpt"}.get(turn["role"], turn["role"])}
    | {"value": turn["content"]}
    for turn in TURNS
]
PARTS = [{**turn, "content": [{"type": "text", "text": turn["content"]}]} for turn in TURNS]


def read(value, column: str = "prompt", on_remark=lambda said: None) -> Problem:
    return problems_of([(1, {column: value, "answer": "8"})], Columns(), "rows", on_remark)[0]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("prompt", TURNS),
        ("messages", TURNS),
        ("problem", TURNS),
        ("conversations", SHAREGPT),
        ("messages", PARTS),
    ],
)
@pytest.mark.parametrize("adds_bos", [True, False])
def test_a_conversation_is_given_as_the_chat_template_writes_it(column, value, adds_bos):
    problem = read(value, column)
    made = tokenizer(CHATML, adds_bos=adds_bos)
    wanted = made.apply_chat_template(TURNS, add_generation_prompt=True, return_dict=False)
    tokens = made(render_prompt(problem, "auto", made, "")).input_ids
    assert tokens == wanted and tokens.count(made.bos_token_id) == 1
    assert (problem.prompt, problem.text) == ("And twice that?", "2+2?\n\n4\n\nAnd twice that?")


def test_an_instruction_goes_into_the_last_turn():
    rendered = render_prompt(read(TURNS), "chat", tokenizer(R1), "Box it.")
    assert rendered == "<bos><User>2+2?<User>And twice that?\nBox it.<Assistant>"


def test_without_a_chat_template_the_turns_are_text():
    text = render_prompt(read(TURNS), "auto", tokenizer(None), "")
    assert text == "Be brief.\n\n2+2?\n\n4\n\nAnd twice that?"


def test_an_answer_at_the_end_is_left_out_and_told():
    said = []
    problem = read([*TURNS, {"role": "assistant", "content": "8"}], on_remark=said.append)
    assert problem.turns == tuple(Turn(**turn) for turn in TURNS)
    assert said[-1] == "rows: 1 conversations end with the assistant's turn, which is left out"


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ([{"role": "tool", "content": "x"}], "a turn of role 'tool'; it may be system, developer"),
        ([{"role": "user", "content": None}], "a user turn whose content is None, not text"),
        ([{"role": "user", "content": " "}], "a user turn whose content is ' ', not text"),
        (TURNS[:1], "'prompt' does not end with a user's turn"),
        (
            [{"role": "user", "content": [{"type": "image", "url": "x"}]}],
            "a part of type 'image'; only text is supported",
        ),
    ],
)
def test_a_turn_that_cannot_be_used_says_why(value, fault):
    with pytest.raises(InputError, match=fault):
        read(value)


def test_what_the_chat_template_refuses_is_one_line():
    with pytest.raises(InputError, match=r"refuses problem '1', .*System role not supported"):
        render_prompt(read(TURNS), "chat", tokenizer(ALTERNATING), "")


def test_problems_are_told_apart_by_all_their_turns(tmp_path):
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"{n}+1?"},
                {"role": "assistant", "content": str(n + 1)},
                {"role": "user", "content": "And twice that?"},
            ],
            "answer": str(2 * n + 2),
        }
        for n in range(30)
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = load_task(TaskConfig(name=str(tmp_path / "t.jsonl")))
    assert sum(task.split_sizes().values()) == 30
    assert any("given as they are" in said for said in task.remarks())
    assert not any("repeat" in said or "different answer" in said for said in task.remarks())
    problem = task.training_problem(0, 0)
    assert task.render(problem, tokenizer(CHATML)).endswith("And twice that?<assistant>")
    asked = {"name": str(tmp_path / "t.jsonl"), "instruction": "Box it."}
    other = load_task(resolve({"task": asked}).task)
    assert other.render(problem, tokenizer(CHATML)).endswith("that?\nBox it.<assistant>")


def test_a_conversation_stored_as_json_text_is_read_as_one(tmp_path):
    file = tmp_path / "chats.csv"
    with file.open("w", newline="") as opened:
        write = csv.writer(opened)
        write.writerow(["prompt", "answer"])
        for n in range(30):
            turns = [{"role": "system", "content": "Add."}, {"role": "user", "content": f"{n}+1="}]
            write.writerow([json.dumps(turns), n + 1])
    task = load_task(TaskConfig(name=str(file)))
    assert [turn.role for turn in task.training_problem(0, 0).turns] == ["system", "user"]


@pytest.mark.parametrize("template", ["\n" + CHATML, CHATML])
def test_a_bos_behind_a_line_break_is_not_doubled(template):
    made = tokenizer(template, adds_bos=True)
    tokens = made(render_prompt(read(TURNS), "auto", made, "")).input_ids
    assert tokens.count(made.bos_token_id) == 1


def test_a_bos_that_a_plain_problem_holds_is_not_doubled():
    made = tokenizer(None, adds_bos=True)
    tokens = made(render_prompt(Problem("1", "<bos>1+1=", "2"), "plain", made, "")).input_ids
    assert tokens.count(made.bos_token_id) == 1
