"""What people try first: a folder, another ending, another name, a short run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from verirank.config import InputError, TaskConfig, expect_plugin
from verirank.tasks import load_task


def test_a_folder_of_problems_needs_no_slash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sums").mkdir()
    rows = [{"problem": f"{a}+{a}=", "answer": 2 * a} for a in range(2, 40)]
    (tmp_path / "sums" / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert expect_plugin("task", "sums") == "jsonl"
    (tmp_path / "sums.txt").write_text("2+2=4")
    with pytest.raises(InputError, match=r"sums\.txt is no file of problems"):
        expect_plugin("task", "sums.txt")


@pytest.mark.parametrize(
    ("name", "meant"), [("lora+", "'lora-plus'"), ("LoRA+", "'lora-plus'"), ("sft", "by RL")]
)
def test_names_of_other_libraries_are_known(name: str, meant: str) -> None:
    with pytest.raises(InputError, match=meant):
        expect_plugin("method", name)


def test_a_fault_of_all_rows_is_told_once(tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    rows = [{"problem": f"{a}+{a}=", "answer": None} for a in range(9)]
    file.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(InputError) as told:
        load_task(TaskConfig(name=str(file)))
    assert str(told.value) == f"none of the 9 rows of {file} can be used: 'answer' is null"
