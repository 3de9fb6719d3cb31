"""Problems in groups: intervals and tests are over groups, and survive the index."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq

from synthetic_runs import METHODS, write_run
from verirank.config import resolve
from verirank.ranking import Leaderboard, build_leaderboard
from verirank.report import limits
from verirank.tasks import load_task


def write_arms(folder: Path, groups: int | None) -> Path:
    for method in ("lora", "dora"):
        for seed in range(2):
            run = folder / f"{method}{seed}"
            write_run(run, method, METHODS[method], seed=seed, problems=96, groups=groups)
    return folder


def widths(board: Leaderboard) -> list[float]:
    return [row.high - row.low for row in board.main]


def test_the_interval_of_problems_in_groups_is_wider_and_the_score_the_same(tmp_path: Path) -> None:
    grouped = build_leaderboard([write_arms(tmp_path / "grouped", 6)])
    for file in (write_arms(tmp_path / "alone", 6)).rglob("test.parquet"):
        pq.write_table(pq.read_table(file).drop(["group"]), file)
    alone = build_leaderboard([tmp_path / "alone"])
    assert [row.avg_at_k for row in grouped.main] == [row.avg_at_k for row in alone.main]
    assert all(a > 1.5 * b for a, b in zip(widths(grouped), widths(alone), strict=True))
    assert {row.groups for row in grouped.main} == {6} and {r.groups for r in alone.main} == {None}
    assert any("Problems come in groups (6)" in limit for limit in limits(grouped))


def test_a_report_from_the_index_has_the_same_groups(tmp_path: Path) -> None:
    folder, index = write_arms(tmp_path / "runs", 6), tmp_path / "index.sqlite"
    first, again = (build_leaderboard([folder], index) for _ in range(2))
    assert first.as_json() == again.as_json()
    assert widths(again) == widths(build_leaderboard([folder]))


def test_a_problem_file_names_its_groups_in_a_column(tmp_path: Path) -> None:
    rows = [
        {"id": str(n), "problem": f"What is {n} plus {n}?", "answer": str(2 * n), "group": n // 10}
        for n in range(60)
    ]
    file = tmp_path / "sums.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    task = load_task(resolve({"task": {"name": str(file)}}).task)
    groups = {problem.id: problem.group for problem in task.bench("test", 60)}
    assert groups and all(group == str(int(name) // 10) for name, group in groups.items())
