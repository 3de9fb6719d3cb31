"""Numbers and findings in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthetic_runs import Recipe, write_run
from verirank.ranking import build_leaderboard, count, memory, points
from verirank.record import duration
from verirank.report import answer, limits, ranks

GOOD, POOR, UNMOVED = Recipe(0.85, 9, 9), Recipe(0.5, 9, 9), Recipe(0.35, 9, 9)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (7, "7"),
        (1152, "1.15 k"),
        (110_592, "111 k"),
        (36_929_536, "36.9 M"),
        (1_777_088_000, "1.78 B"),
    ],
)
def test_counts_have_three_digits_and_a_letter(number: int, text: str) -> None:
    assert count(number) == text


def test_seconds_become_minutes_and_hours() -> None:
    assert [duration(s) for s in (31.4, 600, 9000)] == ["31 s", "10.0 min", "2.5 h"]


def test_memory_is_in_decimal_units() -> None:
    assert [memory(b) for b in (780_000_000, 2_500_000_000)] == ["780 MB", "2.50 GB"]


def test_a_change_carries_its_sign() -> None:
    assert [points(share) for share in (0.1, -0.1)] == ["+10.0", "−10.0"]


@pytest.mark.parametrize(
    ("methods", "finding"),
    [
        ({"lora": GOOD, "vera": POOR}, "lora is the best"),
        ({"lora": GOOD, "dora": GOOD}, "No difference between the methods is significant"),
        ({"lora": GOOD, "dora": GOOD, "vera": POOR}, "its lead over"),
        ({"ia3": UNMOVED, "vera": UNMOVED}, "No method beat the base"),
        ({"lora": GOOD}, "no other method"),
    ],
)
def test_the_answer_says_no_more_than_the_tests_do(
    tmp_path: Path, methods: dict[str, Recipe], finding: str
) -> None:
    for method, recipe in methods.items():
        write_run(tmp_path / method, method, recipe)
    sentence = answer(build_leaderboard([tmp_path]))
    assert finding in sentence
    assert "on this seed" in sentence


def test_unequal_numbers_of_seeds_are_among_the_limits(tmp_path: Path) -> None:
    for seed in range(2):
        write_run(tmp_path / f"lora{seed}", "lora", GOOD, seed=seed)
    write_run(tmp_path / "vera", "vera", POOR)
    assert any("different seeds" in limit for limit in limits(build_leaderboard([tmp_path])))


def test_the_answer_over_several_seeds_is_not_tied_to_one(tmp_path: Path) -> None:
    for seed in range(2):
        write_run(tmp_path / str(seed), "lora", GOOD, seed=seed)
    assert "seed" not in answer(build_leaderboard([tmp_path]))


def test_methods_that_share_one_of_their_seeds_are_answered_for_on_that_seed(
    tmp_path: Path,
) -> None:
    for method, seed in (("lora", 0), ("lora", 2), ("vera", 0), ("vera", 1)):
        write_run(tmp_path / f"{method}{seed}", method, GOOD, seed=seed)
    assert "on the one seed that all share" in answer(build_leaderboard([tmp_path]))


def test_methods_that_share_no_seed_are_said_not_to_be_ranked(tmp_path: Path) -> None:
    write_run(tmp_path / "lora", "lora", GOOD, seed=0)
    write_run(tmp_path / "vera", "vera", POOR, seed=1)
    board = build_leaderboard([tmp_path])
    assert "not ranked against each other" in answer(board)
    assert any("share no training seed" in limit for limit in limits(board))
    assert ranks(board.main) == ["", ""]
