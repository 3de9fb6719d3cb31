"""`verirank report`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from synthetic_runs import METHODS, Recipe, write_run
from verirank.cli import main
from verirank.cli.report_command import command
from verirank.config import InputError


def test_report_writes_everything_into_the_folder_given(tmp_path: Path, study: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(command, [str(study), "--out", str(out)], catch_exceptions=False)
    assert done.exit_code == 0
    assert {path.name for path in out.iterdir()} == {
        "leaderboard.json", "leaderboard.csv", "verdicts.json", "equal_time.json", "report.html",
        "equal_parameters.json", "comparisons.json",
        "figures", "data", "runs_index.sqlite",
    }  # fmt: skip
    assert str(out / "report.html") in done.stdout


def test_report_writes_beside_the_runs_when_no_folder_is_given(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "lora", Recipe(0.8, 1000, 30))
    CliRunner().invoke(command, [str(tmp_path)], catch_exceptions=False)
    assert (tmp_path / "report.html").is_file()


def test_several_folders_leave_the_report_of_the_first_alone(tmp_path: Path) -> None:
    for seed, name in enumerate(("a", "b")):
        write_run(tmp_path / name, "lora", Recipe(0.8, 1000, 30), seed=seed)
    both = [str(tmp_path / "a"), str(tmp_path / "b")]
    with pytest.raises(InputError, match=r"say where one of several folders goes: --out"):
        CliRunner().invoke(command, both, catch_exceptions=False)
    assert not (tmp_path / "a" / "report.html").exists()
    asked = CliRunner().invoke(command, [*both, "--out", both[0]], catch_exceptions=False)
    assert asked.exit_code == 0
    assert (tmp_path / "a" / "report.html").is_file()


def test_json_prints_the_leaderboard_alone(tmp_path: Path, study: Path) -> None:
    arguments = [str(study), "--out", str(tmp_path), "--json"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.stdout == (tmp_path / "leaderboard.json").read_text("utf-8")
    assert {row["method"] for row in json.loads(done.stdout)["rows"]} == set(METHODS)


def test_a_folder_without_runs_is_one_clear_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["verirank", "report", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not list(tmp_path.iterdir())
