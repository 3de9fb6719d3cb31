"""The page in a real browser: no console error; sorting, filtering and hovering work."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape
from itertools import product
from pathlib import Path

import pytest

from synthetic_runs import METHODS, write_run
from verirank.report import write_report

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
]
WHEN_READY = """<script>
new MutationObserver(() => {
  const say = (name, value) => (document.documentElement.dataset[name] = value);
  const headings = [...document.querySelectorAll("#leaderboard thead th")];
  const heading = (name) => headings.find((h) => h.textContent.includes(name));
  const methods = () =>
    [...document.querySelectorAll("#leaderboard tbody:not([hidden]) tr[data-method]")]
      .filter((row) => !row.hidden).map((row) => row.dataset.method).join(" ");
  const type = (name, value) => {
    const control = document.querySelector(".filter").elements[name];
    control.value = value;
    control.dispatchEvent(new Event("input", { bubbles: true }));
  };
  STEPS
}).observe(document.documentElement, { attributeFilter: ["data-ready"] });
</script></head>"""
SORT_AND_HOVER = """
  heading("Trainable").querySelector("button").click();
  heading("Method").querySelector("button").click();
  heading("Method").querySelector("button").click();
  say("sorted", methods());
  const dot = document.querySelector("#chart-parameters path[aria-label^='dora: ']");
  const { x, y } = dot.getBoundingClientRect();
  dot.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: x, clientY: y }));
"""
FILTER = """
  type("method", "dora, ia3");
  say("named", methods());
  say("faded", document.querySelectorAll("#chart-intervals .faded").length);
  say("told", document.querySelector(".filter output").textContent);
  type("method", "");
  type("family", "svd-initialised");
  say("family", methods());
  type("family", "");
  type("bench", "ood");
  say("bench", document.querySelector("#leaderboard tbody:not([hidden])").dataset.bench);
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BROWSER, reason="needs chromium, as Debian's package chromium gives"),
]


def opened(address: str, profile: Path, width: int = 1280) -> tuple[str, list[str]]:
    """Open a page; return its document once drawn, and what it wrote to the console."""
    window = f"--window-size={width},2400"
    done = subprocess.run(
        [BROWSER, *QUIET, window, f"--user-data-dir={profile}", "--dump-dom", address],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def asked(
    page: Path, steps: str, tmp_path: Path, link: str = "", width: int = 1280
) -> dict[str, str]:
    """Take steps in a page once it is ready; return what they said, and the document as `all`."""
    # The page's policy would refuse this test's script, so the copy does without a policy.
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text("utf-8"))
    copy = tmp_path / "copy.html"
    script = WHEN_READY.replace("STEPS", steps)
    copy.write_text(text.replace("</head>", script, 1), encoding="utf-8")
    document, console = opened(copy.as_uri() + link, tmp_path / "profile", width)
    assert console == []
    root = document.partition("<html")[2].partition(">")[0]
    return dict(re.findall(r'data-(\w+)="([^"]*)"', root)) | {"all": document}


def test_the_page_shows_every_chart_without_a_word_on_the_console(
    report: Path, tmp_path: Path
) -> None:
    document, console = opened((report / "report.html").as_uri(), tmp_path / "profile")
    assert console == []
    assert 'data-ready="true"' in document
    # Each is drawn for a wide screen and for a phone.
    assert len(re.findall(r'<svg [^>]*class="marks"', document)) == 2 * 6


def test_the_page_sorts_by_a_heading_and_tells_what_the_pointer_is_on(
    report: Path, tmp_path: Path
) -> None:
    told = asked(report / "report.html", SORT_AND_HOVER, tmp_path)
    methods = told["sorted"].split()
    assert methods == sorted(methods, reverse=True)
    assert re.search(r'aria-sort="descending"><button type="button">Method', told["all"])
    hover = told["all"].partition('<div id="hover"')[2].partition("</div>")[0]
    assert "dora: " in hover
    assert "trainable parameters: 120,064" in hover
    assert 'hidden=""' not in hover


def test_the_page_is_filtered_by_method_family_and_bench(report: Path, tmp_path: Path) -> None:
    told = asked(report / "report.html", FILTER, tmp_path)
    assert set(told["named"].split()) == {"dora", "ia3"}
    # Eleven methods, two benches and their average, an interval, a dot and a number each, twice.
    assert int(told["faded"]) == 11 * 3 * 3 * 2
    assert told["told"] == "2 of 13 methods"
    assert set(told["family"].split()) == {"pissa", "milora"}
    assert told["bench"] == "ood"


VIEW = """
  if (location.hash) {
    say("view", methods());
  } else {
    heading("Method").querySelector("button").click();
    heading("Method").querySelector("button").click();
    type("method", "dora, ia3");
    say("link", document.querySelector(".view").getAttribute("href"));
  }
"""


def test_a_link_opens_the_view_that_it_was_taken_from(report: Path, tmp_path: Path) -> None:
    link = asked(report / "report.html", VIEW, tmp_path)["link"]
    again = asked(report / "report.html", VIEW, tmp_path, unescape(link))
    assert again["view"].split() == ["ia3", "dora"]


MEASURE = """
  const scrolls = [...document.querySelectorAll("figure .scroll")]
    .filter((part) => part.scrollWidth > part.clientWidth + 1);
  say("scrolling", scrolls.map((part) => part.ariaLabel).join("; "));
  const shown = (part) => part.getClientRects().length > 0;
  const over = [];
  let texts = 0;
  for (const svg of [...document.querySelectorAll(".chart svg")].filter(shown)) {
    const words = [...svg.querySelectorAll("text")]
      .filter((text) => text.textContent && getComputedStyle(text).opacity > 0)
      .map((text) => [text.textContent, text.getBoundingClientRect()]);
    texts += words.length;
    words.forEach(([one, a], place) => words.slice(place + 1).forEach(([other, b]) => {
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      const covers = across > 1 && down > 0.4 * Math.min(a.height, b.height);
      if (covers) over.push(`${one} over ${other}`);
    }));
    const frame = svg.getBoundingClientRect();
    for (const [word, box] of words) {
      const outside = box.left < frame.left - 1 || box.right > frame.right + 1;
      if (outside) over.push(`${word} over the edge`);
    }
  }
  say("over", over.join("; "));
  say("texts", texts);
  say("wide", document.documentElement.scrollWidth - window.innerWidth);
"""


def arms_of(folder: Path, arms: int) -> Path:
    """Write the page of so many arms, of more than thirteen with long names."""
    rates = (None, 0.000123456, 0.01)
    named = [(method, rate) for rate in rates for method in METHODS][:arms]
    for place, (method, rate) in enumerate(named):
        settings = {"name": method} | ({} if rate is None else {"learning_rate": rate})
        write_run(
            folder / "study" / f"{place}",
            method,
            replace(METHODS[method], seconds=20 + 3 * place),
            problems=24,
            samples=2,
            steps=12,
            settings={"method": settings},
        )
    write_report([folder / "study"], folder / "out")
    return folder / "out" / "report.html"


@pytest.mark.parametrize("arms", [2, 5, 13, 30])
def test_no_chart_scrolls_sideways_and_no_words_cover_others(arms: int, tmp_path: Path) -> None:
    page = arms_of(tmp_path, arms)
    for width in (360, 768, 1280, 1920):
        told = asked(page, MEASURE, tmp_path, width=width)
        assert int(told["texts"]) > 20
        assert (width, told["scrolling"], told["over"]) == (width, "", "")
        assert int(told["wide"]) <= 0


def test_arms_that_collapsed_leave_the_others_the_axis_and_are_named_below_it(
    tmp_path: Path,
) -> None:
    for method in METHODS:
        rate = 0.02 if method in ("full", "lora-plus") else max(0.7, METHODS[method].rate)
        write_run(tmp_path / "study" / method, method, replace(METHODS[method], rate=rate))
    write_report([tmp_path / "study"], tmp_path / "out")
    told = asked(tmp_path / "out" / "report.html", MEASURE, tmp_path)
    assert told["over"] == ""
    picture = (tmp_path / "out" / "figures" / "parameters.svg").read_text("utf-8")
    assert re.search(r">lora-plus \d\.\d ↓<", picture) and re.search(r">full \d\.\d ↓<", picture)
    assert ">0<" not in picture


def test_a_hundred_runs_fit_5_megabytes_and_are_interactive_within_a_second(
    tmp_path: Path,
) -> None:
    arms = [(method, rank) for rank in (8, 16) for method in METHODS][:25]
    for (method, rank), seed in product(arms, range(4)):
        write_run(
            tmp_path / "study" / f"{method}-{rank}-{seed}",
            method,
            METHODS[method],
            seed=seed,
            problems=64,
            samples=4,
            settings={"method": {"name": method, "rank": rank}},
        )
    write_report([tmp_path / "study"], tmp_path / "out")
    page = tmp_path / "out" / "report.html"
    assert page.stat().st_size < 5_000_000
    steps = 'say("interactive", Math.round(performance.now()));'
    # A busy machine may keep the browser waiting; the page's own work is the same every time.
    tries = (int(asked(page, steps, tmp_path)["interactive"]) for _ in range(5))
    assert any(milliseconds < 1000 for milliseconds in tries)


def test_a_script_that_slips_into_the_page_does_not_run(report: Path, tmp_path: Path) -> None:
    text = (report / "report.html").read_text("utf-8")
    slipped = "<script>document.documentElement.dataset.slipped = 'ran';</script></body>"
    copy = tmp_path / "copy.html"
    copy.write_text(text.replace("</body>", slipped, 1), encoding="utf-8")
    document, console = opened(copy.as_uri(), tmp_path / "profile")
    assert 'data-slipped="ran"' not in document
    assert any("Content Security Policy" in line for line in console)
