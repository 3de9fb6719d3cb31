"""Rows as CSV files."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from verirank.record import write_csv


def test_rows_stand_under_their_header_in_the_order_of_the_first(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [{"x": 1, "y": "a,b"}, {"y": None, "x": 2.5}])
    assert (tmp_path / "a.csv").read_text() == 'x,y\n1,"a,b"\n2.5,\n'


@pytest.mark.parametrize("text", ["=1+1", "+1", "-x", "@sum", "\t=1"])
def test_no_text_is_a_formula_and_numbers_stay(tmp_path: Path, text: str) -> None:
    write_csv(tmp_path / "a.csv", [{"x": text, "y": -1.5}])
    with (tmp_path / "a.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["x", "y"], [f"'{text}", "-1.5"]]


@pytest.mark.parametrize("row", [{"x": 1, "y": 2, "z": 3}, {"x": 1}, {"x": 1, "z": 3}])
def test_a_row_with_other_keys_than_the_first_is_refused(
    tmp_path: Path, row: dict[str, int]
) -> None:
    with pytest.raises(ValueError, match=r"a\.csv has the keys"):
        write_csv(tmp_path / "a.csv", [{"x": 1, "y": 2}, row])
    assert not (tmp_path / "a.csv").exists()
