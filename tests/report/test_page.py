"""The self-contained page and the files beside it."""

from __future__ import annotations

import csv
import json
import re
import shlex
from dataclasses import fields
from html import unescape
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import altair as alt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from altair.utils.schemapi import validate_jsonschema

from synthetic_runs import METHODS, Recipe, write_run, write_solved
from verirank.geometry import Curve, Geometry, Identity, Pool, Summary
from verirank.ranking import (
    PUBLISHED_BENCHES,
    Confounds,
    Effect,
    GeometryReport,
    Searches,
    build_leaderboard,
)
from verirank.report import gather_evidence, write_report
from verirank.report._evidence_figures import geometry_figures
from verirank.report._palette import FILE
from verirank.report.figures import build_figures, confound_figure, energy_figure

COMMAND = r"verirank ([a-z]+ [^<\n]+)"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"


class Tags(HTMLParser):
    """Collects every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def page(out: Path) -> str:
    return (out / "report.html").read_text("utf-8")


def test_the_page_loads_nothing_from_elsewhere(report: Path) -> None:
    tags = Tags(page(report)).tags
    loaded = [a.get("src") for _, a in tags] + [a.get("href") for t, a in tags if t == "link"]
    assert [address for address in loaded if address is not None] == ["data:,"]
    assert "default-src 'none'" in page(report)


def test_the_page_is_under_5_megabytes(report: Path) -> None:
    assert (report / "report.html").stat().st_size < 5_000_000


@pytest.mark.parametrize("right", [False, True])
def test_there_is_a_page_where_every_sample_is_wrong_or_right(tmp_path: Path, right: bool) -> None:
    for method in ("lora", "ia3"):
        file = write_run(tmp_path / method, method, METHODS[method]) / "eval" / "test.parquet"
        rows = [row | {"correct": right} for row in pq.read_table(file).to_pylist()]
        pq.write_table(pa.Table.from_pylist(rows), file)
    write_report([tmp_path], tmp_path)
    assert "<h1>" in page(tmp_path)


def test_the_answer_stands_first(report: Path) -> None:
    heading = re.search(r"<h1>(.*?)</h1>", page(report))
    assert heading and "scored highest" in heading[1]


def test_every_method_and_the_base_have_a_row(report: Path) -> None:
    shown = page(report).partition('<tbody data-bench="average">')[2].partition("</tbody>")[0]
    assert len(re.findall(r"<tr class=\"standing-\d(?: unproven)?\"", shown)) == len(METHODS)
    assert "base model" in page(report)


def test_the_recommendation_stands_above_the_leaderboard(report: Path, tmp_path: Path) -> None:
    above = page(report).partition('id="leaderboard"')[0]
    assert "No recommendation." in above and "share 1 seed" in above
    for method, seed in product(("lora", "ia3"), range(3)):
        write_run(tmp_path / f"{method}-{seed}", method, METHODS[method], seed=seed)
    write_report([tmp_path], tmp_path / "out")
    above = page(tmp_path / "out").partition('id="leaderboard"')[0]
    assert "Use lora, learning rate 0.0003." in above


def test_rank_and_gain_are_separate_marks(tmp_path: Path) -> None:
    for method in ("vera", "lora"):
        write_run(tmp_path / method, method, Recipe(0.35, 10, 30))
    write_report([tmp_path], tmp_path / "out")
    text = page(tmp_path / "out")
    assert text.count('<tr class="standing-0 unproven"') == 2
    assert "<small>gain not proven</small>" in text


def test_one_method_that_is_best_and_cheapest_leaves_no_frontier_to_draw(tmp_path: Path) -> None:
    for method, recipe in {"lora": Recipe(0.8, 10, 10), "vera": Recipe(0.5, 20, 20)}.items():
        write_run(tmp_path / method, method, recipe)
    figures = build_figures(build_leaderboard([tmp_path]), Searches([], []))
    (chart,) = [f.specification(FILE) for f in figures if f.name == "parameters"]
    (line,) = [v for v in chart["vconcat"][0]["layer"] if v.get("mark", {}).get("type") == "line"]
    assert line["data"]["values"] == []


def test_charts_of_two_methods_shrink_to_a_phones_screen(tmp_path: Path) -> None:
    for method in ("lora", "ln-tuning"):
        write_run(tmp_path / method, method, METHODS[method])
    write_report([tmp_path], tmp_path / "out")
    least = [int(width) for width in re.findall(r"min-width:(\d+)px", page(tmp_path / "out"))]
    assert len(least) >= 4
    # 360 pixels of a phone, less the page's margins.
    assert max(least) <= 342


def test_claims_stand_after_the_studys_own_numbers(tmp_path: Path) -> None:
    for method in ("lora", "dora", "miss"):
        write_run(tmp_path / method, method, METHODS[method])
    write_report([tmp_path], tmp_path / "out")
    order = re.findall(r'<section id="(\w+)"', page(tmp_path / "out"))
    assert order.index("verdicts") > order.index("completions") > order.index("leaderboard")


def test_the_figure_of_differences_names_its_bench_and_that_nothing_is_corrected(
    report: Path,
) -> None:
    assert "Problem by problem on test, against lora" in page(report)
    assert "not corrected for the number of methods" in page(report)


def test_methods_and_arms_are_counted_apart(report: Path, tmp_path: Path) -> None:
    for rank in (4, 8):
        settings = {"method": {"name": "lora", "rank": rank}}
        write_run(tmp_path / f"{rank}", "lora", Recipe(0.6, 10, 30), settings=settings)
    write_report([tmp_path], tmp_path)
    assert "1 method, 2 arms, 1 seed each" in page(tmp_path)
    assert 'data-counted="arms"' in page(tmp_path)
    assert f"{len(METHODS)} methods, 1 seed each" in page(report)
    assert 'data-counted="methods"' in page(report)


@pytest.mark.parametrize("beneath", [True, False])
def test_commands_on_the_page_name_paths_that_can_be_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beneath: bool
) -> None:
    study = tmp_path / "a study"
    write_run(study / "trials" / "one", "lora", Recipe(0.6, 10, 30))
    (study / "study.toml").write_text('name = "s"')
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path if beneath else tmp_path / "elsewhere")
    place = Path("a study") if beneath else study
    write_report([study], tmp_path)
    commands = [shlex.split(line) for line in re.findall(COMMAND, unescape(page(tmp_path)))]
    assert ["show", f"{place}/trials/one"] in commands
    assert ["analyze", str(place)] in commands
    assert ["study", "run", f"{place}/study.toml", "--out", "again"] in commands
    assert ["train", f"{place}/trials/one/trial.toml", "--out", "again-one"] in commands


def test_every_chart_has_a_text_alternative(report: Path) -> None:
    charts = [a for _, a in Tags(page(report)).tags if a.get("class") == "chart"]
    assert len(charts) == 6
    assert all(len(chart.get("aria-label") or "") > 40 for chart in charts)


FIGURES = ["intervals", "parameters", "cost", "curves", "differences-lora", "differences-full"]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_a_picture_with_its_data_beside_it(report: Path, name: str) -> None:
    root = ElementTree.parse(report / "figures" / f"{name}.svg").getroot()
    assert root.tag.endswith("svg")
    assert (report / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF-")
    with (report / "figures" / f"{name}.csv").open(encoding="utf-8") as file:
        reference = {name.partition("-")[2]} if name.startswith("differences") else set()
        assert {line["method"] for line in csv.DictReader(file)} == set(METHODS) - reference


def test_a_hostile_method_name_and_completion_stay_text(tmp_path: Path) -> None:
    write_run(tmp_path / "run", HOSTILE, Recipe(0.8, 1000, 30), completion=HOSTILE)
    write_report([tmp_path], tmp_path / "out")
    tags = Tags(page(tmp_path / "out")).tags
    assert not [tag for tag, attributes in tags if tag == "img" or "onerror" in attributes]
    scripts = [attributes for tag, attributes in tags if tag == "script"]
    assert len(scripts) == 1
    assert "&lt;img src=x" in page(tmp_path / "out")


def test_a_hostile_completion_is_cut_and_turns_no_line_around(tmp_path: Path) -> None:
    hostile = "\u202eevil\x1b[2J\x00" + HOSTILE + "9" * 1_000_000 + "\\boxed{57}"
    write_run(tmp_path / "run", "lora", Recipe(0.8, 1000, 30), problems=4, completion=hostile)
    write_report([tmp_path], tmp_path / "out")
    text = page(tmp_path / "out")
    assert len(text) < 600_000
    assert not [c for c in text if c in "\u202e\x1b\x00"]
    assert not [tag for tag, attributes in Tags(text).tags if "onerror" in attributes]
    assert "9\\boxed{57}</pre>" in text


def test_runs_not_scored_stand_on_the_page(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "lora", Recipe(0.8, 1000, 30))
    write_run(tmp_path / "b", "vera", Recipe(0.8, 1000, 30), manifest={"status": "failed"})
    write_report([tmp_path], tmp_path / "out")
    assert "its status is failed" in page(tmp_path / "out")


def test_a_run_without_metrics_still_has_a_page(tmp_path: Path) -> None:
    (write_run(tmp_path / "a", "lora", Recipe(0.8, 1000, 30)) / "metrics.jsonl").unlink()
    write_report([tmp_path], tmp_path / "out")
    assert "lora" in page(tmp_path / "out")


def test_the_curves_end_at_the_last_step_and_leave_out_a_line_cut_off(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", "lora", Recipe(0.8, 1000, 30), steps=400)
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 401, "rew')
    write_report([tmp_path], tmp_path / "out")
    with (tmp_path / "out" / "figures" / "curves.csv").open(encoding="utf-8") as file:
        steps = [int(line["step"]) for line in csv.DictReader(file)]
    assert (steps[0], steps[-1]) == (1, 400)
    assert len(steps) <= 151


def test_every_table_has_a_caption_and_every_heading_a_scope(report: Path) -> None:
    tags = Tags(page(report)).tags
    tables = [tag for tag, _ in tags if tag == "table"]
    assert len([tag for tag, _ in tags if tag == "caption"]) == len(tables) >= 6
    scopes = [attributes.get("scope") for tag, attributes in tags if tag == "th"]
    assert set(scopes) == {"col", "row"}


def test_the_page_has_landmarks_and_named_controls(report: Path) -> None:
    tags = Tags(page(report)).tags
    names = [tag for tag, _ in tags]
    assert all(names.count(tag) == 1 for tag in ("header", "nav", "main", "footer", "form", "h1"))
    assert names.count("label") == len([t for t in names if t in ("input", "select")])
    inner = [a["href"][1:] for t, a in tags if t == "a" and (a.get("href") or "").startswith("#")]
    assert set(inner) <= {a.get("id") for _, a in tags}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_and_marks_stand_out_from_the_paper(report: Path, theme: int) -> None:
    block = re.findall(r":root \{(.*?)\}", page(report), re.S)[theme]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    for name in ("ink", "muted", "best", "no-gain-text"):
        assert contrast(colours[name], colours["paper"]) >= 4.5, name
        assert contrast(colours[name], colours["wash"]) >= 4.5, name
    for name in ("behind", "no-gain"):
        assert contrast(colours[name], colours["paper"]) >= 3, name


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2.2."""
    lights = sorted(luminance(colour) for colour in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_nothing_but_whole_files_is_left(report: Path) -> None:
    assert not list(report.rglob(".*"))


@pytest.mark.parametrize("right", [False, True])
def test_an_accuracy_of_0_or_1_is_not_shown_as_certainty(tmp_path: Path, right: bool) -> None:
    write_solved(tmp_path / "a", "vera", right=right)
    write_run(tmp_path / "b", "lora", METHODS["lora"], problems=30)
    write_report([tmp_path], tmp_path / "out")
    rows = json.loads((tmp_path / "out" / "leaderboard.json").read_text("utf-8"))["rows"]
    (row,) = (row for row in rows if row["method"] == "vera" and row["bench"] == "test")
    assert row["avg_at_k"] == float(right)
    assert row["high"] - row["low"] > 0.1
    low, high = (f"{100 * row[end]:.1f}" for end in ("low", "high"))
    assert f"{low} – {high}" in page(tmp_path / "out")


def test_methods_that_share_no_seed_stand_on_the_page_without_ranks(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "lora", Recipe(0.8, 1000, 30), seed=0)
    write_run(tmp_path / "b", "vera", Recipe(0.5, 10, 20), seed=1)
    write_report([tmp_path], tmp_path / "out")
    text = page(tmp_path / "out")
    assert "leads" not in text.partition("</title>")[0]
    assert "level with the best" not in text
    assert text.count('data-value="0"></td>') == 2


def test_metrics_that_a_step_without_signal_lacks_are_read(tmp_path: Path) -> None:
    file = write_run(tmp_path / "a", "lora", Recipe(0.8, 1000, 30), steps=3) / "metrics.jsonl"
    lacking = dict.fromkeys(("entropy", "kl_train_sampler", "clip_fraction", "grad_norm"))
    lines = [json.loads(line) | lacking for line in file.read_text("utf-8").splitlines()]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    write_report([tmp_path], tmp_path / "out")
    with (tmp_path / "out" / "figures" / "curves.csv").open(encoding="utf-8") as curves:
        assert [line["step"] for line in csv.DictReader(curves)] == ["1", "2", "3"]


@pytest.mark.parametrize("named", [("aime24", "aime25"), tuple(sorted(PUBLISHED_BENCHES))])
def test_a_score_stands_beside_the_papers_only_on_its_benches(
    tmp_path: Path, named: tuple[str, ...]
) -> None:
    benches = dict.fromkeys(named, 0.0)
    write_run(tmp_path / "a", "lora", METHODS["lora"], problems=4, benches=benches)
    write_report([tmp_path / "a"], tmp_path / "out")
    published = tmp_path / "out" / "data" / "published.csv"
    assert published.is_file() == (len(named) == 6)
    assert ('id="published-title"' in page(tmp_path / "out")) == published.is_file()
    if published.is_file():
        (row,) = csv.DictReader(published.read_text("utf-8").splitlines())
        assert float(row["here"]) > 0 and float(row["published"]) == 0.425


def test_runs_of_several_revisions_are_told_in_a_line_and_listed(tmp_path: Path) -> None:
    for name, revision in (("lora", "aaa111"), ("vera", "bbb222")):
        manifest = {"git": revision, "threads": 2}
        write_run(tmp_path / "runs" / name, name, METHODS[name], manifest=manifest)
    write_report([tmp_path / "runs"], tmp_path / "out")
    text = page(tmp_path / "out")
    assert "These runs were not made under the same conditions: 2 of code." in text
    assert "<dd>aaa111; bbb222</dd>" in text
    with (tmp_path / "out" / "data" / "audit.csv").open(encoding="utf-8") as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    assert rows["vera"]["git"] == "bbb222"
    assert rows["lora"]["threads"] == "2"
    assert rows["lora"]["packages"] == "torch 2.13.0, transformers 5.19.0, peft 0.21.2"


def test_the_frontier_is_what_none_beats_for_less(report: Path) -> None:
    with (report / "figures" / "parameters.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    points = {r["method"]: (float(r["trainable_parameters"]), float(r["avg_at_k"])) for r in rows}
    beaten = {
        name
        for name, (cost, score) in points.items()
        if any((c <= cost and s >= score and (c, s) != (cost, score)) for c, s in points.values())
    }
    shown = {row["method"] for row in rows if row["trainable_parameters_frontier"] == "True"}
    assert shown == points.keys() - beaten
    assert 1 < len(shown) < len(points)


def test_every_chart_keeps_to_the_schema_of_vega_lite(study: Path) -> None:
    board = build_leaderboard([study])
    trial = {"method": "lora", "learning_rate": 1e-4, "score": 50.0, "winner": True}
    searches = Searches([trial | {"steps": steps} for steps in (20, 60)], [])
    figures = [
        *build_figures(board, searches),
        *gather_evidence(board).difference_figures(),
        *geometry_figures(analyzed()),
        confound_figure(Confounds((moved(),), {})),
        energy_figure(one_geometry()),
    ]
    assert len(figures) == 11
    for figure in figures:
        specification = json.loads(json.dumps(figure.specification(FILE)))
        assert specification["$schema"] == alt.SCHEMA_URL
        validate_jsonschema(specification, alt.Root._schema, alt.Root._rootschema)


def analyzed() -> GeometryReport:
    """Return what the analysis of one run leaves for the charts."""
    of = {"method": "lora", "run": "a", "seed": 0}
    norm = {"measure": "relative_norm", "null": None, "end": True}
    lines = {"side": "right", "update": 20.0, "isotropic": 50.0, "base": 80.0}
    return GeometryReport(
        measures=[of | norm | {"step": step, "value": step / 1000} for step in (20, 60)],
        energy=[of | lines | {"directions": share} for share in (0.0, 50.0, 100.0)],
        overlaps=[],
        runs=1,
    )


def one_geometry() -> Geometry:
    """Return the geometry of a run, with an energy curve a side."""
    curve = Curve(update=(0.2, 1.0), base=(0.8, 1.0), isotropic=(0.5, 1.0))
    pool = Pool(1, 0, measures={}, curves={"energy_left": curve, "energy_right": curve})
    return Geometry(
        Identity("a", "micro", "lora", seed=0, steps=60),
        matrices=[],
        summary=Summary(pool, {}),
        trajectory=[],
        comparisons=[],
        fractions=(0.1, 1.0),
    )


def moved() -> Effect:
    """Return an effect of a defect, every number of it the same."""
    numbers = {field.name: 0.5 for field in fields(Effect)}
    names = {"defect": "in-place-merging", "label": "lora", "bench": "test"}
    return Effect(**(numbers | names | {"k": 8, "n": 64, "seeds": 3}))  # type: ignore[arg-type]
