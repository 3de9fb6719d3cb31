"""A recommendation goes no further than its evidence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from synthetic_runs import METHODS, write_run

from verirank.cli.recommend_command import command
from verirank.config import InputError
from verirank.record import Run, TrialEntry, write_trial_list
from verirank.report import NothingToRecommendError, build_leaderboard, recommend

GB = 1e9


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for method, rate in {"dora": 0.80, "lora": 0.80, "full": 0.9, "ia3": 0.5}.items():
        for seed in range(3):
            recipe = replace(METHODS[method], rate=rate)
            if method == "full":
                recipe = replace(recipe, memory=int(30 * GB))
            write_run(tmp_path / f"{method}{seed}", method, recipe, seed=seed, problems=128)
    return tmp_path


def test_the_best_that_fits_is_recommended_with_those_it_cannot_be_told_from(study: Path) -> None:
    found = recommend(build_leaderboard([study]), memory_bytes=24 * GB)
    assert {found.method, *found.runners_up} == {"lora", "dora"}
    assert found.excluded == ("full",)
    assert "lora is the quickest" in found.reason or found.method == "lora"
    assert "cannot be told from" in found.reason
    assert recommend(build_leaderboard([study])).method == "full"


def test_the_command_says_method_rank_and_rate(study: Path) -> None:
    arguments = [str(study), "--memory", "24GB", "--hours", "6"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.output.startswith("Use ")
    assert "learning rate 0.0003" in done.output
    told = CliRunner().invoke(command, [*arguments, "--json"], catch_exceptions=False)
    assert json.loads(told.output)["method"] in {"lora", "dora"}


def test_it_refuses_beyond_the_evidence(study: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingToRecommendError, match="no method fits the budget; the smallest"):
        recommend(build_leaderboard([study]), seconds=1)
    one = tmp_path / "one"
    for method in ("lora", "dora"):
        write_run(one / method, method, METHODS[method])
    with pytest.raises(NothingToRecommendError, match="share 1 seed"):
        recommend(build_leaderboard([one]))
    flat = tmp_path / "flat"
    for method in ("lora", "dora"):
        for seed in range(3):
            recipe = replace(METHODS[method], rate=0.35)
            write_run(flat / f"{method}{seed}", method, recipe, seed=seed)
    with pytest.raises(NothingToRecommendError, match="beat the base"):
        recommend(build_leaderboard([flat]))


def write_search(study: Path, method: str, *, at_edge: bool, seconds: float) -> None:
    """Write the search of one method, of one trial with a line of so many seconds."""
    trial = study / "search" / "searched"
    write_run(trial, method, replace(METHODS[method], seconds=seconds))
    manifest = {"method": method, "seed": 1000, "seconds_evaluate": 100.0}
    (trial / "manifest.json").write_text(json.dumps(manifest))
    first = min(path.parent.name for path in study.glob(f"{method}*/trial.toml"))
    arm = {"method": method, "ranked": first, "at_edge": at_edge}
    content = {"arms": [arm | {"trials": [{"folder": trial.name}]}]}
    (study / "search.json").write_text(json.dumps(content))
    runs = [Run(path.parent) for path in study.glob("*/trial.toml")]
    entries = [
        TrialEntry(run.folder.name, "ranked", run.method, run.seed, 3e-4, 60) for run in runs
    ]
    write_trial_list(study, study, entries)


def test_the_time_counts_the_search_and_the_evaluation(study: Path) -> None:
    write_search(study, "full", at_edge=False, seconds=4000.0)
    board = build_leaderboard([study])
    found = recommend(board, [study])
    assert (found.method, found.caveats) == ("full", ())
    assert found.seconds_search == pytest.approx(4100.0)
    assert "of search" in found.reason
    assert recommend(board, [study], seconds=3600).excluded == ("full",)
    assert recommend(board, seconds=3600).excluded == ()


def test_a_rate_that_was_set_or_stands_at_the_edge_is_a_caveat(study: Path) -> None:
    board = build_leaderboard([study])
    assert "set and not searched for" in recommend(board, [study]).reason
    write_search(study, "full", at_edge=True, seconds=40.0)
    assert "edge of what was searched" in recommend(board, [study]).reason


def test_two_seeds_are_too_few(tmp_path: Path) -> None:
    for method in ("lora", "dora"):
        for seed in range(2):
            write_run(tmp_path / f"{method}{seed}", method, METHODS[method], seed=seed)
    with pytest.raises(NothingToRecommendError, match="share 2 seeds"):
        recommend(build_leaderboard([tmp_path]))


def test_a_gain_counts_only_after_correction_over_all_arms(study: Path) -> None:
    board = build_leaderboard([study])
    alone = [replace(row, change_p=0.02) for row in board.main]
    with pytest.raises(NothingToRecommendError, match="corrected over all 4"):
        recommend(replace(board, rows=tuple(alone)))


def test_an_unreadable_size_is_refused(study: Path) -> None:
    with pytest.raises(InputError, match="24GB, not 'plenty'"):
        CliRunner().invoke(command, [str(study), "--memory", "plenty"], catch_exceptions=False)
