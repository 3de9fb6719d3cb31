"""Defects by name, and the one that a run was started with."""

from __future__ import annotations

from verirank.config import InputError, nearest
from verirank.defects._adapter_dropout import AdapterDropout
from verirank.defects._defect import Defect
from verirank.defects._in_place_merging import InPlaceMerging
from verirank.defects._one_evaluation_seed import OneEvaluationSeed
from verirank.defects._redrawn_residual import RedrawnResidual
from verirank.record import Run

_KNOWN: dict[str, Defect] = {
    defect.name: defect
    for defect in (InPlaceMerging(), AdapterDropout(), RedrawnResidual(), OneEvaluationSeed())
}


def defect_names() -> tuple[str, ...]:
    """Return the names of all defects that are more than a setting."""
    return tuple(_KNOWN)


def defect_named(name: str) -> Defect:
    """Return a defect.

    Raises:
        InputError: there is none of that name.
    """
    if name not in _KNOWN:
        raise InputError(f"no defect {name!r}{nearest(name, defect_names())}")
    return _KNOWN[name]


def defect_of(run: Run) -> Defect:
    """Return the defect that a run is marked with; of other runs, one that changes nothing."""
    return Defect() if run.defect is None else defect_named(run.defect)
