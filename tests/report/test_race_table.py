"""How the arms of a race ended stands on the page and in the terminal, with what it cost."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from synthetic_runs import Recipe, write_run
from verirank.ranking import read_races
from verirank.report import print_leaderboard, write_report


def arm(method: str, end: str, seeds: int, **settings: Any) -> dict[str, Any]:
    content = {"id": f"{method}-1", "method": method, "end": end, "seeds": seeds, "mean": 0.5}
    return content | {"failed": 0, "hours": 0.5} | settings


def write_race(folder: Path) -> None:
    arms = [
        arm("vera", "behind", 3, failed=1),
        arm("ia3", "budget", 5),
        arm("lora", "leader", 8),
        arm("dora", "equal", 5, mean=None),
    ]
    race = {"rule": "A rule.", "margin": 0.02, "most_trials": 48, "is_over": True, "arms": arms}
    (folder / "race.json").write_text(json.dumps(race))


def test_arms_stand_in_the_order_of_their_ends_with_seeds_and_time(tmp_path: Path) -> None:
    write_race(tmp_path)
    (race,) = read_races([tmp_path, tmp_path / "no study"])
    assert [one.method for one in race.arms] == ["lora", "dora", "ia3", "vera"]
    assert race.result == (
        "The race, with seeds in brackets: leader: lora (8); equal to the leader within 2 points: "
        "dora (5); in the race when the budget was used up: ia3 (5); behind: vera (3). It took 21 "
        "of 48 trials (43.8 %), 2.0 h of trials."
    )


def test_a_race_stands_on_the_page_and_in_the_terminal(tmp_path: Path) -> None:
    for method in ("lora", "dora", "ia3", "vera"):
        write_run(tmp_path / method, method, Recipe(0.8, 1000, 30))
    write_race(tmp_path)
    board = write_report([tmp_path], tmp_path)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "How each method ended in the race" in page
    assert '<td data-value="behind">behind</td>' in page
    text = io.StringIO()
    print_leaderboard(board, Console(file=text, width=500), folders=iter([tmp_path]))
    assert "It took 21 of 48 trials" in text.getvalue()
