import json

from click.testing import CliRunner

from verirank.cli.tasks_command import command


def test_json_lists_each_task_with_benches_and_an_example():
    rows = json.loads(CliRunner().invoke(command, ["--json"], catch_exceptions=False).output)
    assert {"arithmetic", "few-shot-arithmetic", "jsonl"} <= {row["name"] for row in rows}
    for row in rows:
        assert set(row) == {"name", "summary", "benches", "problem", "answer"}
        assert "test" in row["benches"]
        assert all(row.values())


def test_the_listing_names_every_task():
    output = CliRunner().invoke(command, [], catch_exceptions=False).output
    for name in ("arithmetic:", "few-shot-arithmetic:", "jsonl:"):
        assert name in output
