"""The page in a real browser: no console error, charts drawn, sorting and hovering work."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

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
    "--virtual-time-budget=8000",
    "--window-size=1280,2400",
]
SORT_AND_HOVER = """<script>
new MutationObserver(() => {
  const headings = [...document.querySelectorAll("thead th")];
  headings.find((h) => h.textContent.includes("Trainable")).querySelector("button").click();
  headings.find((h) => h.textContent.includes("Method")).querySelector("button").click();
  headings.find((h) => h.textContent.includes("Method")).querySelector("button").click();
  const dot = document.querySelector("#chart-parameters .mark-symbol path");
  const { x, y } = dot.getBoundingClientRect();
  dot.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: x, clientY: y }));
}).observe(document.documentElement, { attributeFilter: ["data-ready"] });
</script></head>"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BROWSER, reason="needs chromium, as Debian's package chromium gives"),
]


def opened(page: Path, profile: Path) -> tuple[str, list[str]]:
    """Open a page; return its document once drawn, and what it wrote to the console."""
    done = subprocess.run(
        [BROWSER, *QUIET, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def test_the_page_draws_every_chart_without_a_word_on_the_console(
    report: Path, tmp_path: Path
) -> None:
    document, console = opened(report / "report.html", tmp_path / "profile")
    assert console == []
    assert 'data-ready="true"' in document
    assert len(re.findall(r'<svg [^>]*class="marks"', document)) == 4


def test_the_page_sorts_by_a_heading_and_shows_a_tooltip(report: Path, tmp_path: Path) -> None:
    text = (report / "report.html").read_text("utf-8")
    # The page's policy would refuse this test's script, so the copy does without a policy.
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    copy = tmp_path / "copy.html"
    copy.write_text(text.replace("</head>", SORT_AND_HOVER, 1), encoding="utf-8")
    document, _ = opened(copy, tmp_path / "profile")
    leaderboard = document.partition('id="leaderboard"')[2].partition("</table>")[0]
    methods = re.findall(r'<th scope="row" data-value="([\w-]+)"', leaderboard)
    assert methods == sorted(methods, reverse=True)
    assert re.search(r'aria-sort="descending"><button type="button">Method', document)
    tooltip = re.search(r'id="vg-tooltip-element".*?</div>', document, re.S)
    assert tooltip and "Avg@k" in tooltip[0]


def test_a_script_that_slips_into_the_page_does_not_run(report: Path, tmp_path: Path) -> None:
    text = (report / "report.html").read_text("utf-8")
    slipped = "<script>document.documentElement.dataset.slipped = 'ran';</script></body>"
    copy = tmp_path / "copy.html"
    copy.write_text(text.replace("</body>", slipped, 1), encoding="utf-8")
    document, console = opened(copy, tmp_path / "profile")
    assert 'data-slipped="ran"' not in document
    assert any("Content Security Policy" in line for line in console)
