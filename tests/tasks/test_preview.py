import json

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
