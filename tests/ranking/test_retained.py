"""What methods forgot, over passages and seeds, on the page and in files beside it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from synthetic_runs import METHODS, write_run
from verirank.ranking import build_leaderboard, measure_retained
from verirank.report import write_report


def remember(run: Path, forgot: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    before = np.random.default_rng(0).uniform(2, 4, 16)
    after = before + forgot + generator.normal(0, 0.02, 16)
    kl = generator.uniform(0.1, 0.2, 16)
    content = {"text": "prose", "before": [*before], "after": [*after], "kl": [*kl]}
    (run / "retention.json").write_text(json.dumps(content))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("retained")
    for method, forgot in (("full", 0.5), ("lora", 0.0), ("ia3", None)):
        for seed in (0, 1, 2):
            run = write_run(folder / f"{method}-{seed}", method, METHODS[method], seed=seed)
            if forgot is not None:
                remember(run, forgot, seed)
    return folder


def test_forgetting_is_told_from_none(runs: Path) -> None:
    found = {row.label: row for row in measure_retained(build_leaderboard([runs]))}
    assert found.keys() == {"full", "lora"}  # nobody measured ia3
    assert found["full"].low > 0.4
    assert found["full"].change == pytest.approx(0.5, abs=0.05)
    assert found["lora"].low < 0 < found["lora"].high
    assert found["lora"].change == pytest.approx(found["lora"].after - found["lora"].before)
    assert 0.1 < found["full"].kl_low < found["full"].kl < found["full"].kl_high < 0.2


def test_the_page_has_the_table_and_the_file_its_numbers(runs: Path, tmp_path: Path) -> None:
    write_report([runs], tmp_path)
    rows = json.loads((tmp_path / "retention.json").read_text())
    assert {row["label"] for row in rows} == {"full", "lora"}
    assert "What was forgotten" in (tmp_path / "report.html").read_text()
