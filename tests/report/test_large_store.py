"""Hundreds of runs are reported in seconds, without torch, and read once."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from time import process_time
from types import ModuleType

import pytest

from verirank.report import write_report
from verirank.report.figures import MOST_DRAWN

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "store.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("store_benchmark", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


READS_ONLY = """
import sys
from verirank.report import (write_report)
from verirank.study import study_status
print(*{"torch", "transformers", "peft", "altair", "vl_convert"} & set(sys.modules))
"""


def test_what_only_reads_the_disk_loads_no_torch_and_draws_nothing_itself() -> None:
    loaded = subprocess.check_output([sys.executable, "-c", READS_ONLY], text=True)
    assert loaded.split() == []


def test_a_store_of_many_arms_is_reported_again_in_a_fraction_of_the_first_time(
    script: ModuleType, tmp_path: Path
) -> None:
    study = script.Shape("many", 6).study(234)
    count = script.build(study, tmp_path)
    assert count == 234
    seconds = []
    for _ in range(2):
        began = process_time()
        board = write_report([tmp_path], tmp_path)
        seconds.append(process_time() - began)
    assert board.runs == count
    assert len(board.main) == 78 > MOST_DRAWN
    assert seconds[1] < 0.9 * seconds[0]
    assert seconds[1] < 10
    page = (tmp_path / "report.html").read_text("utf-8")
    assert f"The best {MOST_DRAWN} of 78 are drawn." in page
    assert len((tmp_path / "figures" / "parameters.csv").read_text().splitlines()) == 79
