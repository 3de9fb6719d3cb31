"""Arms whose names are long, with settings in them, are told apart in every figure."""

from __future__ import annotations

import re
from pathlib import Path

from synthetic_runs import Recipe, write_run
from verirank.report import write_report
from verirank.report._palette import FILE, names_axis, panel_title

RATES = (0.000123456, 0.000234567)


def test_no_name_is_cut_and_each_has_room_in_a_wide_font(tmp_path: Path) -> None:
    for rate in RATES:
        method = {"name": "lora", "rank": 8, "learning_rate": rate}
        write_run(tmp_path / f"{rate}", "lora", Recipe(0.6, 10, 30), settings={"method": method})
    write_report([tmp_path], tmp_path / "out")
    picture = (tmp_path / "out" / "figures" / "intervals.svg").read_text("utf-8")
    for rate in RATES:
        label = f"lora (learning_rate {rate})"
        assert f">{label}<" in picture
        left = re.search(r'<g[^>]*transform="translate\((\d+),', picture)
        assert left and int(left[1]) > 7 * len(label)


def test_the_axis_has_no_room_for_names_where_there_are_none() -> None:
    assert names_axis([], FILE)["minExtent"] == 10


def test_a_small_panel_has_each_setting_in_its_own_line() -> None:
    assert panel_title("dora")["text"] == "dora"
    assert "subtitle" not in panel_title("dora")
    titled = panel_title("dora (rank 8, learning_rate 0.01)", "+1.0")
    assert titled["text"] == "dora"
    assert titled["subtitle"] == ["rank 8", "learning_rate 0.01", "+1.0"]
