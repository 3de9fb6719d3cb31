"""One self-contained page that opens offline: report.html, and its figures beside it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from verirank import __version__
from verirank.record import write_file, write_json
from verirank.report import _words
from verirank.report._examples import best_examples
from verirank.report._palette import STANDINGS, standing
from verirank.report._published import PUBLISHED
from verirank.report._rate_chart import read_searches
from verirank.report._verdicts import Verdicts, judge
from verirank.report._views import EqualTime, at_equal_time
from verirank.report.confounds import measure_confounds
from verirank.report.figures import build_figures, confound_figure, javascript
from verirank.report.leaderboard import Leaderboard, build_leaderboard

INDEX = "runs_index.parquet"
"""Beside a report: what was read of the runs."""
_ROOM = files("verirank.report")
_SHOWN_PACKAGES = ("verirank", "torch", "transformers", "peft", "math-verify", "vllm")


def write_report(folders: Iterable[Path], out: Path) -> Leaderboard:
    """Rebuild the leaderboard, verdicts, views, report.html and figures/ from runs on disk.

    Args:
        folders: run folders, or folders that hold runs anywhere below.
        out: the folder that is written to.

    Returns:
        The leaderboard.

    Raises:
        InputError: there is no run, none can be scored, or the runs cannot be compared.
    """
    folders = list(folders)
    board = build_leaderboard(folders, out / INDEX)
    board.write(out)
    verdicts = judge(board)
    write_json(out / "verdicts.json", verdicts.as_json())
    equal_time = at_equal_time(board)
    write_json(out / "equal_time.json", [asdict(view) for view in equal_time])
    figures = build_figures(board, read_searches(folders))
    confounds = measure_confounds(folders, board)
    confounds.write(out)
    if confounds.effects:
        figures.append(confound_figure(confounds))
    for figure in figures:
        figure.write(out / "figures")
    write_file(out / "report.html", _render(board, figures, verdicts, equal_time))
    return board


def _render(
    board: Leaderboard, figures: list[Any], verdicts: Verdicts, equal_time: list[EqualTime]
) -> str:
    environment = Environment(
        loader=PackageLoader("verirank.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(_words, name) for name in ("percent", "points", "count", "duration", "memory")
    }
    # Only these two scripts may run, by their hashes: text of a model or a name never can.
    scripts = [javascript(), (_ROOM / "page.js").read_text("utf-8")]
    return environment.get_template("page.html.jinja").render(
        board=board,
        figures=figures,
        verdicts=verdicts,
        equal_time=equal_time,
        published=PUBLISHED,
        answer=_words.answer(board),
        limits=_words.limits(board),
        without_width=_words.without_width(board),
        ranks=_words.ranks(board.main),
        standing_class=lambda row: f"standing-{STANDINGS.index(standing(row))}",
        standing=standing,
        setup=_setup(board),
        examples=best_examples(board),
        version=__version__,
        style=Markup((_ROOM / "page.css").read_text("utf-8")),
        scripts=[Markup(script) for script in scripts],
        script_hashes=" ".join(_hash(script) for script in scripts),
    )


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _setup(board: Leaderboard) -> dict[str, str]:
    """Return what all runs share, as words for the page; absent settings are left out."""
    run, row = board.arms[0].runs[0], board.main[0]
    training, sampling = run.settings.get("training", {}), run.settings.get("sampling", {})
    algorithms = sorted({str(r.manifest.get("algorithm")) for arm in board.arms for r in arm.runs})
    packages = run.manifest.get("packages") or {}
    facts = {
        "model": run.manifest.get("model"),
        "task": run.manifest.get("task"),
        "algorithm": ", ".join(algorithms),
        "training steps": training.get("steps"),
        "batch": _product(sampling.get("problems_per_step"), sampling.get("group_size")),
        "evaluation": f"{row.n} problems × {row.k} samples on {row.bench}",
        "seeds": " to ".join(str(s) for s in sorted({min(_seeds(board)), max(_seeds(board))})),
        "packages": ", ".join(f"{p} {packages[p]}" for p in _SHOWN_PACKAGES if p in packages),
        "base weights": f"SHA-256 {run.manifest.get('base_sha256', 'not recorded')}",
    }
    return {name: str(fact) for name, fact in facts.items() if fact}


def _seeds(board: Leaderboard) -> list[int]:
    return [run.seed for arm in board.arms for run in arm.runs]


def _product(problems: int | None, group: int | None) -> str | None:
    return f"{problems} problems × {group} completions a step" if problems and group else None
