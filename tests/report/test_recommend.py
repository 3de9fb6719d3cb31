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


def test_an_unreadable_size_is_refused(study: Path) -> None:
    with pytest.raises(InputError, match="24GB, not 'plenty'"):
        CliRunner().invoke(command, [str(study), "--memory", "plenty"], catch_exceptions=False)
