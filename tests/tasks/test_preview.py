import json
import re

import pytest
from click.testing import CliRunner

from verirank.cli.tasks_command import command


@pytest.fixture
def problems(tmp_path):
    rows = [{"id": n, "problem": f"{n}+{n}=", "answer": 2 * n} for n in range(60)]
    file = tmp_path / "sums.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    return str(file)


def show(*arguments: str) -> str:
    return CliRunner().invoke(command, ["show", *arguments], catch_exceptions=False).output


def test_it_prints_prompts_golds_splits_and_token_lengths(problems):
    output = show(problems, "-n", "1")
    assert output.count("gold: ") == 1
    assert "problems: train " in output and "prompts: " in output and "golds: " in output


def test_the_splits_add_up_to_the_file(problems):
    assert sum(json.loads(show(problems, "--json"))["splits"].values()) == 60


def test_few_shot_prompts_hold_four_solved_problems(problems):
    preview = json.loads(show(problems, "--json", "--set", "task.template=few-shot"))
    assert preview["prompts"][0]["text"].count("Answer: \\boxed{") == 4


@pytest.mark.parametrize(
    ("setting", "warning"),
    [
        ("task.template=auto", "no chat template"),
        ("sampling.max_new_tokens=100000", "exceed the model's"),
        ("sampling.max_new_tokens=1", "cannot be written in 1 new tokens"),
    ],
)
def test_it_warns_of_what_will_not_fit(problems, setting, warning):
    assert warning in show(problems, "--set", setting)


def test_it_warns_of_golds_that_are_no_numbers_where_numbers_are_read(tmp_path):
    rows = [{"id": n, "problem": f"Who is {n}?", "answer": "nobody"} for n in range(10)]
    file = tmp_path / "names.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    assert "that is no number, such as 'nobody'" in show(
        str(file), "--set", "task.answer_format=number"
    )


def test_a_generators_task_shows_its_benches():
    assert "problems: test 256, selection 256" in show("arithmetic")


def test_it_warns_of_text_that_the_tokenizer_drops(tmp_path):
    rows = [{"problem": f"What is {n}+{n}?", "answer": 2 * n} for n in range(40)]
    rows[0]["answer"] = "who knows"
    file = tmp_path / "spoken.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    output = show(str(file))
    assert re.search(
        r"prompts hold characters that the tokenizer drops \(problem \d+: '.*W", output
    )
    assert "1 of" in output and "cannot write (ids 1): no sample can be right there" in output


def test_prompts_that_fill_the_model_are_named_and_cut(tmp_path):
    rows = [{"problem": "1+" * (3000 + n) + "1=", "answer": 3001 + n} for n in range(40)]
    file = tmp_path / "long.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    output = show(str(file), "-n", "1")
    assert "more characters]" in output and len(output) < 6_000
    assert re.search(r"warning: (\d+) of \1 prompts fill the model's \d+ tokens by them", output)
    assert "lower sampling.max_new_tokens" not in output
