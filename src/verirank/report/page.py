"""One self-contained page that opens offline: report.html, and its figures beside it."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from importlib.resources import files
from itertools import chain
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from verirank.ranking import (
    MEASURES,
    Controls,
    Leaderboard,
    Race,
    Retained,
    Verdicts,
    Views,
    at_equal_parameters,
    at_equal_time,
    build_leaderboard,
    comparisons,
    count,
    digits,
    judge,
    listed,
    measure_confounds,
    measure_controls,
    measure_retained,
    memory,
    mixture,
    percent,
    points,
    provenance,
    read_races,
    read_searches,
    write_retained,
)
from verirank.record import RUN_INDEX, as_row, duration, write_file, write_json
from verirank.report._artist import Artist
from verirank.report._evidence import Evidence, gather_evidence
from verirank.report._palette import STANDINGS, UNPROVEN_GAIN, for_page, gain, is_broad, standing
from verirank.report._words import advice, answer, limits, rank_set, ranks, trainable
from verirank.report.figures import Figure, build_figures, confound_figure
from verirank.statistics import EQUALITY_MARGIN

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
        board = build_leaderboard(folders, out / RUN_INDEX)
        searches = read_searches(folders)
        figures = {"scores": build_figures(board, searches)}
        drawings = {figure.name: figure.drawn(artist) for figure in figures["scores"]}
        evidence = gather_evidence(board)
        confounds, controls = measure_confounds(folders, board), measure_controls(folders, board)
        beside = {
            "differences": evidence.difference_figures(),
            "geometry": evidence.geometry_figures(),
            "confounds": [confound_figure(confounds)] if confounds.effects else [],
        }
        drawings |= {f.name: f.drawn(artist) for f in chain.from_iterable(beside.values())}
        every = list(chain.from_iterable((figures | beside).values()))
        narrow = {figure.name: figure.drawn_narrow(artist) for figure in every}
        verdicts = judge(board)
        views = Views(at_equal_time(board), at_equal_parameters(board))
        board.write(out)
        write_json(out / "verdicts.json", verdicts.as_json())
        write_json(out / "comparisons.json", [as_row(row) for row in comparisons(board)])
        views.write(out)
        evidence.write(out / "data")
        confounds.write(out)
        controls.write(out)
        write_retained(retained := measure_retained(board), out)
        figures |= beside
        drawn = {name: svg.result() for name, svg in drawings.items()}
        on_phones = {name: svg.result() for name, svg in narrow.items() if svg is not None}
    for figure in every:
        figure.write(out / "figures", drawn[figure.name])
    races = read_races(folders)
    study = next((Path(f) for f in folders if (Path(f) / "study.toml").is_file()), None)
    recommendation = advice(board, list(map(Path, folders)))
    page = _render(
        *(board, figures, drawn, on_phones, verdicts, views, evidence, controls, retained, study),
        *(searches.edge, races, recommendation),
    )
    write_file(out / "report.html", page)
    return board


def _render(
    board: Leaderboard,
    figures: dict[str, list[Figure]],
    drawn: dict[str, str],
    on_phones: dict[str, str],
    verdicts: Verdicts,
    views: Views,
    evidence: Evidence,
    controls: Controls,
    retained: list[Retained],
    study: Path | None,
    edge: str,
    races: list[Race],
    recommendation: tuple[str, str],
) -> str:
    environment = Environment(
        loader=PackageLoader("verirank.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    formats = (percent, points, count, duration, memory, digits)
    environment.filters |= {format_.__name__: format_ for format_ in formats}
    environment.filters |= {"typed": _typed, "named": _named}
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
        controls=controls,
        retained=retained,
        measures=MEASURES,
        families={arm.label: arm.family for arm in board.arms},
        folders={arm.label: arm.runs[0].folder for arm in board.arms},
        study=study,
        answer=answer(board),
        advice=recommendation,
        unproven=UNPROVEN_GAIN,
        gain=gain,
        limits=limits(board),
        edge=edge,
        races=races,
        mixture=mixture(board),
        ranks=ranks,
        rank_set=rank_set,
        trainable=trainable,
        margin=EQUALITY_MARGIN,
        equal_groups=[listed(group) for group in board.main_tests.equal_groups],
        standing_class=lambda row: f"standing-{STANDINGS.index(standing(row))}",
        standing=standing,
        setup=_setup(board),
        version=version("verirank"),
        style=Markup((_ROOM / "page.css").read_text("utf-8")),
        script=Markup(script),
        script_hash=_hash(script),
        inline=lambda figure: _pictures(figure.name, drawn, on_phones),
    )


def _named(label: str) -> Markup:
    """Return an arm's name, its settings below its method."""
    method, opened, settings = label.partition(" (")
    if not opened:
        return Markup.escape(label)
    return Markup('{} <small class="settings">({}</small>').format(method, settings)


def _pictures(name: str, drawn: Mapping[str, str], on_phones: Mapping[str, str]) -> Markup:
    """Return a figure's picture, or two of which the page shows the one that fits the screen."""
    picture = for_page(drawn[name], name)
    if name not in on_phones:
        return Markup(picture)
    narrow = for_page(on_phones[name], f"{name}-narrow")
    width = "wide broad" if is_broad(drawn[name]) else "wide"
    return Markup(f'<div class="{width}">{picture}</div><div class="narrow">{narrow}</div>')


def _typed(path: Path) -> str:
    """Return a path quoted for the shell, relative to the working directory if it is below it."""
    path, here = path.resolve(), Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _model(manifest: Mapping[str, object]) -> object:
    """Return the model's name, with the adapter that is part of the base, if any."""
    name, adapter = manifest.get("model"), manifest.get("adapter")
    how = "trained on from" if manifest.get("start") else "with"
    return f"{name}, {how} the adapter {adapter}" if adapter else name


def _setup(board: Leaderboard) -> dict[str, str]:
    """Return the set-up of the runs as text by name, without what was not recorded.

    Model, task and sampling are the first run's; steps, seeds and provenance cover all runs.
    """
    run = board.arms[0].runs[0]
    sampling = run.settings.get("sampling", {})
    manifest = board.arms[0].manifests[0]
    algorithms = {str(made.get("algorithm")) for arm in board.arms for made in arm.manifests}
    facts = {
        "model": _model(manifest),
        "task": manifest.get("task"),
        "algorithm": ", ".join(sorted(algorithms)),
        "training steps": " to ".join(map(str, _ends(_steps(board)))),
        "batch": _product(sampling.get("problems_per_step"), sampling.get("group_size")),
        "evaluation": _evaluation(board),
        "seeds": " to ".join(map(str, _ends(_seeds(board)))),
        **{kind: "; ".join(each) for kind, each in provenance(board).items()},
        "base weights": f"SHA-256 {manifest.get('base_sha256', 'not recorded')}",
    }
    return {name: str(fact) for name, fact in facts.items() if fact}


def _evaluation(board: Leaderboard) -> str:
    """Return the numbers of problems and samples behind the main scores."""
    rows = [board.of_bench(bench)[0] for bench in board.averaged] or [board.main[0]]
    return "; ".join(f"{row.n} problems × {row.k} samples on {row.bench}" for row in rows)


def _seeds(board: Leaderboard) -> list[int]:
    return [run.seed for arm in board.arms for run in arm.runs]


def _steps(board: Leaderboard) -> list[int]:
    every = [arm.settings.get("training.steps") for arm in board.arms]
    return [steps for steps in every if steps]


def _ends(values: list[int]) -> list[int]:
    """Return the least and the greatest value, one if they are equal, none if there are none."""
    return sorted({min(values), max(values)}) if values else []


def _product(problems: int | None, group: int | None) -> str | None:
    return f"{problems} problems × {group} completions a step" if problems and group else None
