"""Trials with a defect or as a control, each held against the fair trial that it is made from."""

from verirank.ranking.variants._confounds import (
    Confounds,
    Effect,
    measure_confounds,
    read_confounds,
)
from verirank.ranking.variants._controls import Controls, Explained, measure_controls

__all__ = [
    "Confounds",
    "Controls",
    "Effect",
    "Explained",
    "measure_confounds",
    "measure_controls",
    "read_confounds",
]
