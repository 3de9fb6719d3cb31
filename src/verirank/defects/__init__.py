"""Defects that were released beside published results, to be measured and never to be used."""

from verirank.defects._adapter_dropout import AdapterDropout
from verirank.defects._defect import Defect
from verirank.defects._in_place_merging import InPlaceMerging, LiveBase
from verirank.defects._one_evaluation_seed import OneEvaluationSeed
from verirank.defects._redrawn_residual import RedrawnResidual
from verirank.defects._registry import defect_named, defect_names, defect_of

__all__ = [
    "AdapterDropout",
    "Defect",
    "InPlaceMerging",
    "LiveBase",
    "OneEvaluationSeed",
    "RedrawnResidual",
    "defect_named",
    "defect_names",
    "defect_of",
]
