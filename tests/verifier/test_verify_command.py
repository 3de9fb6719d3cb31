import json

import pytest
from click.testing import CliRunner

from verirank.cli.verify_command import command
from verirank.config import InputError


def run(*arguments: str) -> str:
    result = CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.output


def test_one_pair_is_called_correct_or_wrong_with_the_reason():
    assert run("--gold", r"\frac12", "--answer", "0.5") == "correct: numbers equal\n"
    assert run("--gold", "7", "--answer", "8") == "wrong: numbers differ\n"


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ("<think>41</think>\n\n42", "correct: exact"),
        ("so 41?</think>42", "correct: exact"),
        ("<think>42</think>41", "wrong: numbers differ"),
        ("<think>42", "wrong: no answer"),
        ("<think>42</think>", "wrong: no answer"),
        ("<think>41</think>42<think>so 42", "wrong: no answer"),
    ],
)
def test_a_thought_states_no_answer(answer, line):
    assert run("--gold", "42", "--answer", answer) == line + "\n"


def test_a_file_of_pairs_gives_a_json_line_each_in_their_order(tmp_path):
    pairs = [("1", "2"), ("x+1", "1+x"), ("3", None), ("\ud800", "4"), ("5", "5")]
    file = tmp_path / "pairs.jsonl"
    lines = [json.dumps({"gold": gold, "prediction": answer}) for gold, answer in pairs]
    file.write_text("\n".join(lines) + "\n\n")
    rows = [json.loads(line) for line in run("--jsonl", str(file), "--json").splitlines()]
    assert [(row["gold"], row["prediction"]) for row in rows] == pairs
    assert [row["correct"] for row in rows] == [False, True, False, False, True]
    assert all(set(row) == {"gold", "prediction", "correct", "reason", "seconds"} for row in rows)


def test_a_file_without_json_output_ends_with_the_count(tmp_path):
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"gold": "1", "prediction": "1"}\n{"gold": "1", "prediction": "2"}\n')
    assert run("--jsonl", str(file)).splitlines()[-1] == "1 of 2 correct"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"gold": "1", "prediction": "1"}\n{"gold": "1"}', "pairs.jsonl:2: .*'prediction'"),
        ('{"prediction": "1"}', "pairs.jsonl:1: .*'gold'"),
        ('{"gold": 5, "prediction": "5"}', "pairs.jsonl:1: 'gold' must be text"),
        ('\n{"gold": "1"', "pairs.jsonl:2: not JSON"),
        ("[1]", "pairs.jsonl:1: .*object"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path, text, message):
    file = tmp_path / "pairs.jsonl"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        run("--jsonl", str(file))


def test_a_missing_file_and_missing_options_are_input_errors(tmp_path):
    with pytest.raises(InputError, match="no file"):
        run("--jsonl", str(tmp_path / "none.jsonl"))
    with pytest.raises(InputError, match="either"):
        run("--gold", "1")
    with pytest.raises(InputError, match="either"):
        run("--gold", "1", "--answer", "1", "--jsonl", "x")


def test_an_explanation_names_the_golds_kind_and_the_rule_that_decided(tmp_path):
    explained = run("--gold", r"\frac12", "--answer", "0.5", "--explain")
    assert explained == "correct: numbers equal (gold: rational; decided by: rational)\n"
    file = tmp_path / "pairs.jsonl"
    rows = [(r"\dot{x}", r"\dot{y}"), ("ellipse", "circle"), ("5", None)]
    file.write_text("".join(json.dumps({"gold": g, "prediction": p}) + "\n" for g, p in rows))
    lines = [
        json.loads(line)
        for line in run("--jsonl", str(file), "--json", "--explain").split("\n")[:-1]
    ]
    assert [(line["kind"], line["rule"]) for line in lines] == [
        ("other", "math-verify"),
        ("text", "text"),
        ("integer", "none"),
    ]
