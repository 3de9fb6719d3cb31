"""Every number in the page's tables lies in a file beside it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthetic_runs import write_geometry, write_study
from verirank.report import write_report

NOTHING = ("", "none")


class Cells(HTMLParser):
    """Collects section, value and text of every table cell."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[tuple[str, str, str]] = []
        self._section, self._value, self._text = "", None, ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "section":
            self._section = given.get("aria-labelledby") or ""
        if tag == "td" and given.get("class", "") and "number" in (given["class"] or ""):
            self._value, self._text = given.get("data-value"), ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "td" and self._value is not None:
            self.cells.append((self._section, self._value, self._text.strip()))
            self._value = None


def numbers(value: Any) -> Iterator[float]:
    """Yield every number of a decoded file."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from numbers(inner)
    else:
        try:
            yield float(value)
        except (TypeError, ValueError):
            return


def beside(out: Path) -> np.ndarray:
    """Return all numbers of the JSON and CSV files of a report."""
    found: list[float] = []
    for file in out.rglob("*.json"):
        found += numbers(json.loads(file.read_text("utf-8")))
    for file in out.rglob("*.csv"):
        with file.open(encoding="utf-8") as lines:
            found += numbers(list(csv.DictReader(lines)))
    return np.array(found)


@pytest.fixture(scope="module")
def analyzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study of two seeds whose runs were analyzed."""
    folder = tmp_path_factory.mktemp("analyzed")
    write_study(folder / "study", seeds=2, problems=32)
    write_geometry(folder / "study")
    write_report([folder / "study"], folder / "out")
    return folder / "out"


def test_every_number_of_the_tables_is_in_a_file(analyzed: Path) -> None:
    cells = Cells((analyzed / "report.html").read_text("utf-8")).cells
    assert {section for section, _, _ in cells} >= {
        "leaderboard-title", "audit-title", "geometry-title", "equal-time-title",
        "verdicts-title",
    }  # fmt: skip
    known = beside(analyzed)
    told = [cell for cell in cells if cell[2] not in NOTHING]
    assert len(told) > 500
    lost = [
        cell for cell in told if not np.isclose(known, float(cell[1]), rtol=1e-9, atol=1e-12).any()
    ]
    assert lost == []


def test_the_numbers_that_are_shown_are_those_that_are_sorted_by(analyzed: Path) -> None:
    for section, value, text in Cells((analyzed / "report.html").read_text("utf-8")).cells:
        plain = text.replace("\N{MINUS SIGN}", "-")
        shown = re.match(r"[+-]?\d+\.\d$", plain)
        if shown and section in ("leaderboard-title", "differences-lora-title"):
            assert float(shown[0]) == pytest.approx(100 * float(value), abs=0.0501)


def test_geometry_stands_beside_its_null_and_overlaps_beside_chance(analyzed: Path) -> None:
    text = (analyzed / "report.html").read_text("utf-8")
    section = text.partition('id="geometry"')[2].partition("</section>")[0]
    assert "26 runs were analyzed" in section
    assert section.count('<span class="unseen">, null </span>') > 13
    assert section.count('<span class="unseen">, chance </span>') > 13
    assert {"chart-energy", "chart-growth"} <= set(re.findall(r'id="(chart-\w+)"', section))


def test_completions_on_the_page_are_in_a_file(analyzed: Path) -> None:
    methods = json.loads((analyzed / "data" / "completions.json").read_text("utf-8"))
    text = (analyzed / "report.html").read_text("utf-8")
    assert [m["label"] for m in methods] == re.findall(r"<summary><strong>([\w-]+)</strong>", text)
    assert all(reading["gold"] == "57" for m in methods for reading in m["readings"])
