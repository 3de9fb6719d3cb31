"""Reading completions: what stands out, and the texts themselves."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from synthetic_runs import METHODS, Recipe, write_run
from verirank.cli.show_command import command
from verirank.config import InputError

HOSTILE = (
    "</pre><script>alert(1)</script>\x1b[2J\x1b]0;owned\x07\u202egnihton\u202c\r\x9b31m\x00\n"
    + "9" * 1_000_000
    + "\\boxed{57}"
)
GROUPS = {"sampling": {"problems_per_step": 2, "group_size": 4}}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = write_run(
        tmp_path / "r",
        "lora",
        METHODS["lora"],
        settings=GROUPS,
        completion="ring \x1b[31m\\boxed{1}",
    )
    rows = [
        {
            "step": 1, "problem": f"p{p}", "completion": f"answer {g}", "reward": float(g < p),
            "reason": "exact" if g < p else "numbers differ", "length": 5 + g,
            "truncated": g == 3, "seed": g,
            # One right of four: (1 - 1/4) / sd with GRPO's sample standard deviation of 1/2.
            "advantage": (1.5 if g < p else -0.5) if p == 1 else 0.0,
        }
        for p in (1, 4)
        for g in range(4)
    ]  # fmt: skip
    (folder / "rollouts").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), folder / "rollouts" / "steps-000001-000001.parquet")
    return folder


def show(*arguments: str) -> str:
    return CliRunner().invoke(command, [*arguments], catch_exceptions=False).output


def test_the_overview_tells_how_answers_ended_and_which_problems_stand_out(run: Path) -> None:
    told = show(str(run))
    for word in ("before:", "after:", "worst:", "best:", "cut off", "step 1:"):
        assert word in told


def test_a_step_shows_the_reward_and_the_recorded_advantage_of_each_completion(run: Path) -> None:
    told = show(str(run), "--step", "1", "--problem", "p1", "-n", "10")
    assert "reward 1; advantage +1.5" in told
    assert told.count("advantage -0.5") == 3
    assert "4 of 4 shown" in told
    assert show(str(run), "--step", "1", "--problem", "p4").count("advantage +0.000") == 4


def test_filters_and_control_characters(run: Path) -> None:
    assert "2 of 2 shown" in show(str(run), "--step", "1", "--truncated")
    told = show(str(run), "--bench", "test", "--right", "-n", "1")
    assert "\x1b[31m" not in told
    assert "1 of" in told


def test_what_is_not_there_is_one_line(run: Path) -> None:
    with pytest.raises(InputError, match="no completions of step 7; it has steps 1 to 1"):
        show(str(run), "--step", "7")
    with pytest.raises(InputError, match="no samples of bench 'aime'; it has test"):
        show(str(run), "--bench", "aime")


def test_gold_and_question_stand_beside_a_completion(run: Path) -> None:
    told = show(str(run), "--bench", "test", "-n", "1")
    assert "question: (12+7)*3=\ngold: 57\n" in told


def test_a_hostile_completion_can_neither_act_on_the_terminal_nor_fill_it(tmp_path: Path) -> None:
    run = write_run(tmp_path / "r", "lora", Recipe(0.5, 10, 9), problems=2, completion=HOSTILE)
    told = show(str(run), "--bench", "test", "-n", "1")
    assert all(c.isprintable() or c in "\n\t" for c in told)
    assert len(told) < 6000
    assert "\\boxed{57}" in told
    whole = show(str(run), "--bench", "test", "-n", "1", "--full")
    assert "9" * 1_000_000 in whole
    assert all(c.isprintable() or c in "\n\t" for c in whole)


def test_the_overview_of_hostile_names_is_readable(run: Path) -> None:
    file = run / "eval" / "test.parquet"
    rows = [
        row | {"problem": f"\x1b[2J{row['problem']}"} for row in pq.read_table(file).to_pylist()
    ]
    pq.write_table(pa.Table.from_pylist(rows), file)
    assert "\x1b" not in show(str(run))


def test_signs_are_told_before_and_after_training(run: Path) -> None:
    told = show(str(run))
    assert "tokens: 0.0 % before, 0.0 % after" in told
    assert "cut off: 0.0 % before, 0.0 % after" in told
    assert "one text is the correct answer to 48 problems" in told
