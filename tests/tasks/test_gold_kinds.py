import json

from click.testing import CliRunner

from verirank.cli.data_command import command
from verirank.tasks import Problem, gold_kinds


def test_golds_are_counted_by_kind_and_those_without_one_are_listed():
    golds = ["7", "8", r"\frac12", "[0,1)", r"\dot{x}", "52_8"]
    found = gold_kinds([Problem(str(n), "?", gold) for n, gold in enumerate(golds)])
    assert found.golds == 6
    assert found.kinds == {"integer": 2, "rational": 1, "interval": 1, "other": 1, "base": 1}
    assert found.unread == (("4", r"\dot{x}"),)


def test_the_command_reads_files_and_lists_what_no_kind_fits_on_a_line(tmp_path):
    rows = [
        {"id": 1, "problem": "?", "answer": "7"},
        {"id": "2\x1b[2J", "problem": "?", "answer": "\\dot\n{x}\x1b"},
    ]
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    printed = CliRunner().invoke(command, ["kinds", "--bench", str(path)], catch_exceptions=False)
    assert printed.output == (
        f"{path}: 2 golds: integer 1, other 1\n  no kind fits 2 [2J: \\dot {{x}} \n"
    )
    as_json = CliRunner().invoke(command, ["kinds", "--train", str(path), "--json"])
    assert json.loads(as_json.output)[str(path)]["golds"] == 2
