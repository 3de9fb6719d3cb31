"""Reading completions: what stands out, and the texts themselves."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from synthetic_runs import METHODS, write_run

from verirank.cli.show_command import command
from verirank.config import InputError

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


def test_a_step_shows_reward_and_the_advantage_of_the_runs_algorithm(run: Path) -> None:
    told = show(str(run), "--step", "1", "--problem", "p1", "-n", "10")
    # One right of four: (1 - 1/4) / sd with GRPO's sample standard deviation of 1/2.
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
