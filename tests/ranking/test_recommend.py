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
from verirank.ranking import NothingToRecommendError, build_leaderboard, chance, recommend
from verirank.record import Run, TrialEntry, write_trial_list
from verirank.report import limits

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


def test_the_best_that_fits_is_recommended_with_those_it_does_not_lead_significantly(
    study: Path,
) -> None:
    found = recommend(build_leaderboard([study]), memory_bytes=24 * GB)
    assert {found.method, *found.runners_up} == {"lora", "dora"}
    assert found.excluded == ("full",)
    assert "lora is the fastest" in found.reason or found.method == "lora"
    assert "Its lead over" in found.reason and "is not significant." in found.reason
    assert recommend(build_leaderboard([study])).method == "full"


def test_the_command_says_method_rank_and_rate(study: Path) -> None:
    arguments = [str(study), "--memory", "24GB", "--hours", "6"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.output.startswith("Use ")
    assert "learning rate 0.0003" in done.output
    told = CliRunner().invoke(command, [*arguments, "--json"], catch_exceptions=False)
    assert json.loads(told.output)["method"] in {"lora", "dora"}


def with_load(study: Path, fractions: dict[str, float]) -> None:
    """Record of every run of some methods for what fraction of its time it waited for a core."""
    for folder in (path.parent for path in study.glob("*/manifest.json")):
        run = Run(folder)
        if run.method in fractions:
            run.update_manifest(seconds_waited=fractions[run.method] * run.manifest["seconds"])


def test_no_method_is_named_the_fastest_where_other_work_had_the_cores(tmp_path: Path) -> None:
    for method, (rate, seconds) in {"dora": (0.8, 600), "lora": (0.8, 200)}.items():
        for seed in range(3):
            recipe = replace(METHODS[method], rate=rate, seconds=seconds)
            write_run(tmp_path / f"{method}{seed}", method, recipe, seed=seed, problems=128)
    unknown = recommend(build_leaderboard([tmp_path]))
    assert (unknown.method, unknown.runners_up) == ("dora", ("lora",))
    assert "lora is the fastest of them: 3.4 min instead of 10.0 min in total" in unknown.reason
    assert "which is not recorded" in unknown.reason
    with_load(tmp_path, {"dora": 0.01, "lora": 0.01})
    quiet = recommend(build_leaderboard([tmp_path])).reason
    assert "lora is the fastest of them" in quiet and "not recorded" not in quiet
    with_load(tmp_path, {"lora": 0.4})
    board = build_leaderboard([tmp_path])
    busy = recommend(board).reason
    assert "the fastest of them" not in busy
    assert "None is named the fastest: other work had the cores up to 40 %" in busy
    assert any("Other work had the cores up to 40 %" in limit for limit in limits(board))


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
    assert "fixed, not searched" in recommend(board, [study]).reason
    write_search(study, "full", at_edge=True, seconds=40.0)
    assert "edge of the searched range" in recommend(board, [study]).reason


def test_two_seeds_are_too_few(tmp_path: Path) -> None:
    for method in ("lora", "dora"):
        for seed in range(2):
            write_run(tmp_path / f"{method}{seed}", method, METHODS[method], seed=seed)
    with pytest.raises(NothingToRecommendError, match="share 2 seeds"):
        recommend(build_leaderboard([tmp_path]))


def test_a_gain_counts_only_after_correction_over_all_arms(study: Path) -> None:
    board = build_leaderboard([study])
    alone = [replace(row, change_p=0.02, change_p_holm=0.08) for row in board.main]
    with pytest.raises(NothingToRecommendError, match="corrected over all 4"):
        recommend(replace(board, rows=tuple(alone)))


def test_an_unreadable_size_is_refused(study: Path) -> None:
    with pytest.raises(InputError, match="24GB, not 'plenty'"):
        CliRunner().invoke(command, [str(study), "--memory", "plenty"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("share", "words"),
    [(1.0, "over 99.9 %"), (0.9996, "over 99.9 %"), (0.999, "99.9 %"), (0.0, "under 0.1 %")],
)
def test_no_chance_is_said_to_be_0_or_100_percent(share: float, words: str) -> None:
    assert chance(share) == words


def test_a_method_with_more_and_luckier_seeds_is_not_put_before_one_that_beats_it(
    tmp_path: Path,
) -> None:
    rates = {"lora": (0.5, 0.5, 0.5, 0.95, 0.95), "dora": (0.62,) * 3, "miss": (0.3,) * 3}
    for method, of_seeds in rates.items():
        for seed, rate in enumerate(of_seeds):
            recipe = replace(METHODS[method], rate=rate)
            write_run(tmp_path / f"{method}{seed}", method, recipe, seed=seed, problems=256)
    board = build_leaderboard([tmp_path])
    rows = {row.method: row for row in board.main}
    assert rows["lora"].avg_at_k > rows["dora"].avg_at_k
    assert [(row.method, row.rank) for row in board.main] == [("dora", 1), ("lora", 2), ("miss", 3)]
    assert rows["dora"].tied_with_best and not rows["lora"].tied_with_best
    assert (rows["dora"].best or 0) > 0.9 > (rows["lora"].best or 0)
    found = recommend(board)
    assert found.method == "dora" and "ranks first on shared seeds" in found.reason
