"""From finished runs on disk to what each did to the weights, and what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from verirank.config import InputError
from verirank.geometry._energy import FRACTIONS
from verirank.geometry._overlap import compare_updates, describe_update
from verirank.geometry._row import Row
from verirank.geometry._summary import Summary, summarise
from verirank.geometry._update import measure_update
from verirank.geometry._walk import walk
from verirank.methods import Policy, load_policy
from verirank.models import BaseModel, load_base
from verirank.record import Run, find_runs, write_json


@dataclass(frozen=True, slots=True)
class Identity:
    """Which run it is."""

    folder: str
    model: str
    method: str
    seed: int
    steps: int


@dataclass(frozen=True, slots=True)
class Moment:
    """What the run had done to the weights after some steps."""

    step: int
    summary: Summary


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the updates of two runs have in common, over the weights that both can change."""

    runs: tuple[Identity, Identity]
    matrices: list[Row]
    summary: Summary


@dataclass(frozen=True, slots=True)
class Geometry:
    """What a run did to the weights: the content of geometry.json.

    `trajectory` has the kept checkpoints and, last, the end; `comparisons` those with the runs that
    were analyzed together with this one; `fractions` belong to the curves.
    """

    run: Identity
    matrices: list[Row]
    summary: Summary
    trajectory: list[Moment]
    comparisons: list[Comparison]
    fractions: tuple[float, ...] = FRACTIONS

    def as_json(self) -> dict[str, Any]:
        """Return it as plain lists, dicts, numbers and None."""
        return asdict(self)


def analyze(
    folders: Sequence[Path], on_weight: Callable[[str], None] = lambda where: None
) -> list[Geometry]:
    """Measure what each run did to the weights, and write RUN/geometry.json.

    Several runs are also compared with each other, two at a time. Effective weights pass by one
    matrix at a time, but each run compared holds its policy: a copy of the model in fp32 for full
    fine-tuning, an adapter for most other methods.

    Args:
        folders: finished runs of the same base model, or folders that hold such, as a study does;
            of a study's runs those that it ranks and that are finished.
        on_weight: is told which weight of which run is next.

    Returns:
        A geometry a run, in the order given and, within a folder, of the runs' paths.

    Raises:
        InputError: a folder is given twice or holds no finished run, or the base has changed or
            differs between runs.
        RunFailedError: a trained weight is infinite or not a number.
    """
    runs = _open(folders)
    base = load_base(runs[0].config.model)
    fingerprint = base.fingerprint()
    for run in runs:
        run.expect_base(fingerprint)
    geometries = [_measure_run(run, base, on_weight) for run in runs]
    comparisons = _compare(runs, base, on_weight) if len(runs) > 1 else []
    geometries = [
        replace(geometry, comparisons=[c for c in comparisons if geometry.run in c.runs])
        for geometry in geometries
    ]
    for run, geometry in zip(runs, geometries, strict=True):
        write_json(run.folder / "geometry.json", geometry.as_json())
    return geometries


def _open(folders: Sequence[Path]) -> list[Run]:
    """Open runs, and see to it before the long work that they can be analyzed together."""
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise InputError("a run is given twice")
    runs = [run for folder in folders for run in _at(folder)]
    for run in runs:
        if not (run.folder / "adapter").is_dir():
            raise InputError(
                f"{run.folder} is not trained to its end; run: verirank train --resume {run.folder}"
            )
        if run.config.model != runs[0].config.model:
            raise InputError(
                f"{runs[0].folder} and {run.folder} were trained from different base models "
                f"({runs[0].config.model.name!r} and {run.config.model.name!r}, or other settings "
                "of it); analyze them apart"
            )
    return runs


def _at(folder: Path) -> list[Run]:
    """Return the run that a folder is, or the finished runs that it holds, such as a study's."""
    if (folder / "manifest.json").is_file():
        return [Run.open(folder)]
    finished = [run for run in find_runs([folder]) if (run.folder / "adapter").is_dir()]
    if not finished:
        raise InputError(f"no run in {folder} is trained to its end; see: verirank study status")
    return finished


def _identity(run: Run) -> Identity:
    config = run.config
    steps = config.training.steps
    return Identity(str(run.folder), config.model.name, run.method, run.seed, steps)


def _measure_run(run: Run, base: BaseModel, on_weight: Callable[[str], None]) -> Geometry:
    policy, identity = load_policy(base, run.folder / "adapter"), _identity(run)
    matrices = _measure(policy, f"{run.folder}, end", on_weight)
    moments = [Moment(identity.steps, summarise(matrices))]
    for checkpoint in reversed(run.checkpoints()):
        step = int(checkpoint.name.removeprefix("step-"))
        # A run ends with a checkpoint, whose weights are those of the end.
        if step < identity.steps:
            policy.load_state(load_file(checkpoint / "policy.safetensors"))
            rows = _measure(policy, f"{run.folder}, step {step}", on_weight)
            moments.insert(0, Moment(step, summarise(rows)))
    return Geometry(identity, matrices, moments[-1].summary, moments, comparisons=[])


def _measure(policy: Policy, where: str, on_weight: Callable[[str], None]) -> list[Row]:
    rows = []
    for name, before, after in walk([policy]):
        on_weight(f"{where}: {name}")
        rows.append(measure_update(name, before, after[0]))
    return rows


def _compare(
    runs: Sequence[Run], base: BaseModel, on_weight: Callable[[str], None]
) -> list[Comparison]:
    """Compare every two runs; those without a weight in common are left out."""
    policies = [load_policy(base, run.folder / "adapter") for run in runs]
    rows: dict[tuple[int, int], list[Row]] = {}
    for name, before, after in walk(policies):
        on_weight(f"comparing: {name}")
        if len(after) > 1:
            updates = {index: describe_update(before, weight) for index, weight in after.items()}
            for one, other in combinations(sorted(updates), 2):
                row = compare_updates(name, updates[one], updates[other])
                rows.setdefault((one, other), []).append(row)
    return [
        Comparison((_identity(runs[one]), _identity(runs[other])), rows_of, summarise(rows_of))
        for (one, other), rows_of in sorted(rows.items())
    ]
