"""Two processes that begin a study in one folder at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from verirank.config import InputError, to_toml
from verirank.record import hold, write_file
from verirank.study import Study, run_study


def test_the_later_one_is_refused_if_its_study_is_another(
    tmp_path: Path, small_study: Callable[..., Study]
) -> None:
    first, later = small_study("ia3"), small_study("ln-tuning")
    with ThreadPoolExecutor(1) as other:
        with hold(tmp_path / ".lock", "another process has it"):
            outcomes = other.submit(run_study, later, tmp_path)
            while not (tmp_path / "trials").is_dir():  # it has found an empty folder
                time.sleep(0.01)
            write_file(tmp_path / "study.toml", to_toml(first.spelled_out()))
        with pytest.raises(InputError, match="holds another study"):
            outcomes.result()
