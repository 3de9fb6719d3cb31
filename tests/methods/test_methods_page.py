"""The page on the methods is about those that are installed, each proven when it was written."""

from __future__ import annotations

import re
from pathlib import Path

from verirank.config import MethodConfig, plugin_names
from verirank.methods import create_method
from verirank.models import SHAPES

PAGE = (Path(__file__).parents[2] / "docs" / "methods.md").read_text("utf-8")
ROWS = {
    cells[0].strip("`"): cells
    for line in PAGE.splitlines()
    if line.startswith("| `")
    for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
}


def test_every_installed_method_has_a_row() -> None:
    assert list(ROWS) == list(plugin_names("method"))


def test_every_method_passed_all_ten_checks() -> None:
    assert {cells[4] for cells in ROWS.values()} == {"10 of 10"}


def test_the_counts_are_those_of_the_closed_forms() -> None:
    for name, cells in ROWS.items():
        count = create_method(MethodConfig(name=name)).count(SHAPES["qwen2-1.5b"])
        assert int(re.sub(r"\D", "", cells[3].partition(" ")[0])) == count, name
