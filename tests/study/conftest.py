"""Studies small enough that a trial takes about half a second."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from study_scores import scores

from verirank.study import LocalExecutor, Study, make_study, run_study

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "KMP_BLOCKTIME": "0"}


@pytest.fixture(scope="session")
def small_study() -> Callable[..., Study]:
    def make(*methods: str, steps: int = 2, **settings: Any) -> Study:
        trial = {
            "training": {"steps": steps},
            "sampling": {"problems_per_step": 4},
            "evaluation": {"benches": ["test"], "problems": 8, "samples": 2},
        }
        return make_study(
            {
                "name": "small",
                "preset": "quickstart",
                "methods": list(methods),
                "trial": trial,
                **settings,
            }
        )

    return make


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory, small_study: Callable[..., Study]) -> Path:
    out = tmp_path_factory.mktemp("finished") / "s"
    outcomes = run_study(small_study("ia3", "ln-tuning"), out)
    assert [outcome.error for outcome in outcomes] == [None, None]
    return out


@pytest.fixture
def finished(_finished: Path, tmp_path: Path) -> Path:
    """A copy of a study of one trial of ia3 and one of ln-tuning, both done."""
    return shutil.copytree(_finished, tmp_path / "finished", copy_function=shutil.copy2)


@pytest.fixture(scope="session")
def _two_seeds(tmp_path_factory: pytest.TempPathFactory, small_study: Callable[..., Study]) -> Path:
    out = tmp_path_factory.mktemp("two-seeds") / "s"
    outcomes = run_study(small_study("lora", "ia3", seeds=[0, 1]), out)
    assert [outcome.error for outcome in outcomes] == [None] * 4
    return out


@pytest.fixture
def two_seeds(_two_seeds: Path, tmp_path: Path) -> Path:
    """A copy of a study of two trials of lora and two of ia3, all done."""
    return shutil.copytree(_two_seeds, tmp_path / "two-seeds", copy_function=shutil.copy2)


@pytest.fixture(scope="session")
def long_study(small_study: Callable[..., Study]) -> Study:
    """A study that can be disturbed while both of its trials train."""
    return small_study("lora", "ia3", steps=30)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, long_study: Study) -> dict[str, str]:
    """The scores of `long_study` on two processes, by the trial's id."""
    out = tmp_path_factory.mktemp("undisturbed") / "s"
    outcomes = run_study(long_study, out, executor=LocalExecutor(2))
    assert [outcome.error for outcome in outcomes] == [None, None]
    return scores(out)
