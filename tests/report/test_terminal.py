"""The ranked table in the terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from synthetic_runs import METHODS, Recipe, write_run, write_solved

from verirank.report import build_leaderboard, print_leaderboard, terminal


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
    assert "No method can be told apart from another" in text


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


def test_an_interval_without_width_is_said_to_be_no_certainty(tmp_path: Path) -> None:
    write_solved(tmp_path, "vera", right=False)
    assert "every sample equal for vera" in printed(tmp_path, width=400)


def test_of_very_many_arms_the_best_are_printed_and_the_others_counted(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "_MOST_ROWS", 2)
    best, other, *rest = (row.label for row in build_leaderboard([study]).main)
    lines = printed(study).splitlines()
    ranked = [line.split()[1] for line in lines if line.split()[0].lstrip("=").isdigit()]
    assert ranked == [best, other]
    assert f"and {len(rest)} more in leaderboard.csv" in lines
