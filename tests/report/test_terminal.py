"""The ranked table in the terminal."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from synthetic_runs import METHODS, Recipe, write_run
from verirank.ranking import build_leaderboard
from verirank.report import print_leaderboard, terminal, write_report


def printed(folder: Path, width: int = 80) -> str:
    text = io.StringIO()
    print_leaderboard(build_leaderboard([folder]), Console(file=text, width=width))
    return text.getvalue()


def test_every_method_stands_on_one_line_of_80_columns(study: Path) -> None:
    lines = printed(study).splitlines()
    assert all(any(f" {method} " in line for line in lines) for method in METHODS)


def test_shared_ranks_are_marked(tmp_path: Path) -> None:
    for method in ("lora", "dora"):
        write_run(tmp_path / method, method, Recipe(0.8, 1000, 30))
    text = printed(tmp_path)
    assert text.count("=1") == 2
    assert "No difference between the methods is significant" in text


def test_a_single_seed_is_owned_up_to(study: Path) -> None:
    assert "One training seed" in printed(study)


def test_runs_not_scored_are_named_with_the_reason(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "lora", Recipe(0.8, 1000, 30))
    write_run(tmp_path / "b", "vera", Recipe(0.8, 1000, 30), manifest={"status": "failed"})
    text = printed(tmp_path, width=400)
    assert "not scored: vera, seed 0" in text
    assert "its status is failed" in text


def test_markup_in_a_method_name_is_printed_as_text(tmp_path: Path) -> None:
    write_run(tmp_path, "[red]x[/red]", Recipe(0.8, 1000, 30))
    assert "[red]x[/red]" in printed(tmp_path)


def test_markup_in_a_bench_a_folder_and_a_reason_is_printed_as_text(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "lora", Recipe(0.8, 1000, 30), benches={"test": 0.0, "[red]ood": 0.0})
    failed = {"status": "failed", "error": "[bold]x[/italic]"}
    write_run(tmp_path / "[b]", "vera", Recipe(0.8, 1000, 30), manifest=failed)
    text = printed(tmp_path, width=400)
    assert all(part in text for part in ("[red]ood %", "[b]", "[bold]x[/italic]"))


def test_of_very_many_arms_the_best_are_printed_and_the_others_counted(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "_MOST_ROWS", 2)
    best, other, *rest = (row.label for row in build_leaderboard([study]).main)
    lines = printed(study).splitlines()
    ranked = [line.split()[1] for line in lines if line.split()[0].lstrip("=").isdigit()]
    assert ranked == [best, other]
    assert f"and {len(rest)} more in leaderboard.csv" in lines


def test_methods_whose_rate_won_at_the_edge_of_its_span_are_named(tmp_path: Path) -> None:
    arms = []
    for method, at_edge in (("lora", True), ("dora", False)):
        write_run(tmp_path / method, method, Recipe(0.8, 1000, 30))
        trial = {"learning_rate": 1e-3, "scores": {"6": 0.5}, "pruned_at": None, "error": None}
        arms.append({"method": method, "steps": 6, "winner": 1e-3, "at_edge": at_edge})
        arms[-1] |= {"ranked": None, "trials": [trial]}
    (tmp_path / "search.json").write_text(json.dumps({"rule": "A rule.", "arms": arms}))
    told = "The best learning rate of lora is at the edge of the searched range"
    text = io.StringIO()
    console = Console(file=text, width=200)
    print_leaderboard(write_report([tmp_path], tmp_path), console, folders=[tmp_path])
    assert told in text.getvalue()
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.count(told) == 3  # at the answer, under the figure and among the limits
    assert told not in printed(tmp_path, 200)
