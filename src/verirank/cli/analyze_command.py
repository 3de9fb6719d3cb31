"""`verirank analyze`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from verirank.config import InputError, by_dotted_key
from verirank.record import Run

if TYPE_CHECKING:
    from verirank.geometry import Identity

_IN_FULL = 4
"""More runs get a line each."""
_Headings = dict[str, tuple[str, float]]
"""By a measure's name: its heading, and the factor to the heading's unit."""
_OVERLAPS: _Headings = {
    "mask_jaccard": ("masks %", 100),
    "cosine": ("cosine", 1),
    "overlap_left": ("span U %", 100),
    "overlap_right": ("span V %", 100),
}


@click.command()
@click.argument("folders", nargs=-1, required=True, metavar="FOLDER...")
@click.option("--json", "as_json", is_flag=True, help="Print a list with each run's geometry.json.")
def command(folders: tuple[str, ...], as_json: bool) -> None:
    """Measure what each finished run did to the weights: RUN/geometry.json, RUN/figures/energy.svg.

    FOLDER is a run, or one that holds runs anywhere below, such as a study, whose report shows the
    geometry from then on. Two or more runs of one base model are compared as well: which entries
    and which directions their updates share. Below each value stands, dimmed, what an isotropic
    random update of the same norm, or chance, would give.
    """
    paths = [Path(folder) for folder in folders]
    if missing := [path for path in paths if not path.exists()]:
        raise InputError(f"there is no folder {missing[0]}")
    from verirank.geometry import analyze
    from verirank.report import Artist, energy_figure

    with Console(stderr=True).status("reading") as status:
        geometries = analyze(paths, on_weight=status.update)
    with Artist() as artist:
        figures = {geometry.run.folder: energy_figure(geometry) for geometry in geometries}
        pictures = {folder: figure.drawn(artist) for folder, figure in figures.items()}
        for folder, figure in figures.items():
            figure.write(Path(folder) / "figures", pictures[folder].result())
    if as_json:
        return click.echo(json.dumps([geometry.as_json() for geometry in geometries], indent=2))
    console = Console()
    if len(geometries) > _IN_FULL:
        return _print_briefly(console, geometries)
    for geometry in geometries:
        _print_run(console, geometry)
    _print_comparisons(console, geometries)
    return None


def _print_briefly(console: Console, geometries: list[Any]) -> None:
    table = _table("run", _measures())
    runs = [geometry.run for geometry in geometries]
    for geometry, name in zip(geometries, _names(runs), strict=True):
        label = f"{name}, seed {geometry.run.seed}"
        _add(table, label, geometry.summary.overall, _measures())
    console.print(table)
    console.print(
        f"{len(geometries)} runs; their modules, checkpoints and what they share are in each "
        "geometry.json, and per method in what verirank report writes",
        style="dim",
    )


def _print_run(console: Console, geometry: Any) -> None:
    run, overall = geometry.run, geometry.summary.overall
    console.print(f"{run.method}, seed {run.seed}, {run.steps} steps: {run.folder}", style="bold")
    if overall.unchanged:
        console.print(f"{overall.unchanged} of {overall.weights} weights are unchanged")
    table = _table("weights", _measures())
    for kind, pool in geometry.summary.modules.items():
        _add(table, f"{kind} x{pool.weights}", pool, _measures())
    table.add_section()
    _add(table, "all", overall, _measures())
    console.print(table)
    if len(geometry.trajectory) > 1:
        table = _table("step", _measures())
        for moment in geometry.trajectory:
            _add(table, str(moment.step), moment.summary.overall, _measures())
        console.print(table)


def _print_comparisons(console: Console, geometries: list[Any]) -> None:
    if len(geometries) < 2:
        return
    names = {g.run: str(number) for number, g in enumerate(geometries, 1)}
    for (run, number), name in zip(names.items(), _names(list(names)), strict=True):
        console.print(f"{number}: {name}, seed {run.seed}: {run.folder}")
    table = _table("runs", _OVERLAPS)
    for geometry in geometries:
        for comparison in geometry.comparisons:
            first, second = comparison.runs
            if first == geometry.run:
                label = f"{names[first]} and {names[second]}"
                _add(table, label, comparison.summary.overall, _OVERLAPS)
    console.print(table)


def _names(runs: list[Identity]) -> list[str]:
    """Return each run's arm: its method, and the settings in which that differs from the others."""
    from verirank.ranking import arm_labels

    settings = [by_dotted_key(Run(Path(run.folder)).settings) for run in runs]
    own = [{k: v for k, v in one.items() if k != "seed"} for one in settings]
    return arm_labels([run.method for run in runs], own)


def _measures() -> _Headings:
    from verirank.ranking import MEASURES

    return {measure.name: (measure.heading, measure.factor) for measure in MEASURES}


def _table(label: str, headings: _Headings) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 0, 0, 1))
    table.add_column(label, overflow="fold", min_width=12)
    for heading, _ in headings.values():
        table.add_column(heading, justify="right", min_width=6)
    return table


def _add(table: Table, label: str, pool: Any, names: _Headings) -> None:
    """Add a line of values and, dimmed below it, one of nulls."""
    cells = [(pool.measures.get(name), factor) for name, (_, factor) in names.items()]
    table.add_row(label, *(_number(m and m.value, factor) for m, factor in cells))
    table.add_row("", *(_number(m and m.null, factor) for m, factor in cells), style="dim")


def _number(value: float | None, factor: float) -> str:
    if value is None:
        return ""
    shown = factor * value
    return f"{shown:.3g}" if abs(shown) >= 1 else f"{shown:.2g}".replace("e-0", "e-")
