"""One self-contained page that opens offline: report.html, and its figures beside it."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Iterable
from importlib.resources import files
from itertools import chain
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from verirank import __version__
from verirank.record import as_row, write_file, write_json
from verirank.report import _words
from verirank.report._artist import Artist, Picture
from verirank.report._comparisons import comparisons
from verirank.report._evidence import Evidence, gather_evidence
from verirank.report._families import families
from verirank.report._geometry import MEASURES
from verirank.report._palette import STANDINGS, for_page, standing
from verirank.report._provenance import mixture, provenance
from verirank.report._rate_chart import read_searches
from verirank.report._run_index import INDEX
from verirank.report._verdicts import Verdicts, judge
from verirank.report._views import Views, at_equal_parameters, at_equal_time
from verirank.report.confounds import measure_confounds
from verirank.report.figures import Figure, build_figures, confound_figure
from verirank.report.leaderboard import Leaderboard, build_leaderboard

_ROOM = files("verirank.report")


def write_report(folders: Iterable[Path], out: Path) -> Leaderboard:
    """Rebuild leaderboard, verdicts, views, report.html, figures/ and data/ from runs on disk.

    Args:
        folders: run folders, or folders that hold runs anywhere below.
        out: the folder that is written to.

    Returns:
        The leaderboard.

    Raises:
        InputError: there is no run, none can be scored, or the runs cannot be compared.
    """
    folders = list(folders)
    with Artist() as artist:
        board = build_leaderboard(folders, out / INDEX)
        searches = read_searches(folders)
        figures = {"scores": build_figures(board, searches)}
        pictures = {figure.name: figure.drawn(artist) for figure in figures["scores"]}
        evidence = gather_evidence(board)
        confounds = measure_confounds(folders, board)
        beside = {
            "differences": evidence.difference_figures(),
            "geometry": evidence.geometry_figures(),
            "confounds": [confound_figure(confounds)] if confounds.effects else [],
        }
        pictures |= {f.name: f.drawn(artist) for f in chain.from_iterable(beside.values())}
        verdicts = judge(board)
        views = Views(at_equal_time(board), at_equal_parameters(board))
        board.write(out)
        write_json(out / "verdicts.json", verdicts.as_json())
        write_json(out / "comparisons.json", [as_row(found) for found in comparisons(board)])
        views.write(out)
        evidence.write(out / "data")
        confounds.write(out)
        figures |= beside
        drawn = {name: picture.result() for name, picture in pictures.items()}
    for figure in chain.from_iterable(figures.values()):
        figure.write(out / "figures", drawn[figure.name])
    study = next((Path(f) for f in folders if (Path(f) / "study.toml").is_file()), None)
    page = _render(board, figures, drawn, verdicts, views, evidence, study, searches.edge)
    write_file(out / "report.html", page)
    return board


def _render(
    board: Leaderboard,
    figures: dict[str, list[Figure]],
    drawn: dict[str, Picture],
    verdicts: Verdicts,
    views: Views,
    evidence: Evidence,
    study: Path | None,
    edge: str,
) -> str:
    environment = Environment(
        loader=PackageLoader("verirank.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(_words, name)
        for name in ("percent", "points", "count", "duration", "memory", "digits")
    }
    environment.filters["typed"] = _typed
    # Only this script may run, by its hash: text of a model or a name never can.
    script = (_ROOM / "page.js").read_text("utf-8")
    return environment.get_template("page.html.jinja").render(
        board=board,
        figures=figures,
        verdicts=verdicts,
        unresolved=verdicts.why_none,
        equal_time=views.time,
        equal_parameters=views.parameters,
        evidence=evidence,
        measures=MEASURES,
        families=families(board),
        folders={arm.label: arm.runs[0].folder for arm in board.arms},
        study=study,
        answer=_words.answer(board),
        limits=_words.limits(board),
        edge=edge,
        mixture=mixture(board),
        without_width=_words.without_width(board),
        ranks=_words.ranks,
        standing_class=lambda row: f"standing-{STANDINGS.index(standing(row))}",
        standing=standing,
        setup=_setup(board),
        version=__version__,
        style=Markup((_ROOM / "page.css").read_text("utf-8")),
        script=Markup(script),
        script_hash=_hash(script),
        inline=lambda figure: Markup(for_page(drawn[figure.name].svg, figure.name)),
    )


def _typed(path: Path) -> str:
    """Return a path as a shell takes it in the folder that the report is made from."""
    path, here = path.resolve(), Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _setup(board: Leaderboard) -> dict[str, str]:
    """Return what the runs have been made with, as words for the page; what is absent is left out.

    Settings are the first run's; of steps, seeds, code, packages, threads and machines all count.
    """
    run = board.arms[0].runs[0]
    sampling = run.settings.get("sampling", {})
    manifest = board.arms[0].manifests[0]
    algorithms = {str(made.get("algorithm")) for arm in board.arms for made in arm.manifests}
    facts = {
        "model": manifest.get("model"),
        "task": manifest.get("task"),
        "algorithm": ", ".join(sorted(algorithms)),
        "training steps": " to ".join(map(str, _ends(_steps(board)))),
        "batch": _product(sampling.get("problems_per_step"), sampling.get("group_size")),
        "evaluation": _evaluation(board),
        "seeds": " to ".join(map(str, _ends(_seeds(board)))),
        **{kind: "; ".join(told) for kind, told in provenance(board).items()},
        "base weights": f"SHA-256 {manifest.get('base_sha256', 'not recorded')}",
    }
    return {name: str(fact) for name, fact in facts.items() if fact}


def _evaluation(board: Leaderboard) -> str:
    """Return how many samples of which bench are behind the main scores."""
    asked = [board.of_bench(bench)[0] for bench in board.averaged] or [board.main[0]]
    return "; ".join(f"{row.n} problems × {row.k} samples on {row.bench}" for row in asked)


def _seeds(board: Leaderboard) -> list[int]:
    return [run.seed for arm in board.arms for run in arm.runs]


def _steps(board: Leaderboard) -> list[int]:
    found = [arm.settings.get("training.steps") for arm in board.arms]
    return [steps for steps in found if steps]


def _ends(values: list[int]) -> list[int]:
    """Return the least and the most, once where they are the same, of none nothing."""
    return sorted({min(values), max(values)}) if values else []


def _product(problems: int | None, group: int | None) -> str | None:
    return f"{problems} problems × {group} completions a step" if problems and group else None
