"""What a run did to the weights: spectra, angles, energy and sparsity, each beside its null."""

from verirank.geometry._analyze import Comparison, Geometry, Identity, Moment, analyze
from verirank.geometry._energy import (
    FRACTIONS,
    Curve,
    direction_energy,
    energy_curve,
    in_span_ratio,
)
from verirank.geometry._entries import (
    below_half_ulp,
    cosine,
    jaccard,
    jaccard_chance,
    sparsity,
    update_mask,
)
from verirank.geometry._isotropic import isotropic_ranks, isotropic_update
from verirank.geometry._overlap import Update, compare_updates, describe_update
from verirank.geometry._row import Measured, Row
from verirank.geometry._spectra import effective_rank, rounding_floor, spectral_shift, stable_rank
from verirank.geometry._subspaces import (
    Directions,
    directions,
    principal_angles,
    singular_values,
    subspace_overlap,
    top_k,
)
from verirank.geometry._summary import Pool, Summary, summarise
from verirank.geometry._update import measure_update
from verirank.geometry._walk import walk

__all__ = [
    "FRACTIONS",
    "Comparison",
    "Curve",
    "Directions",
    "Geometry",
    "Identity",
    "Measured",
    "Moment",
    "Pool",
    "Row",
    "Summary",
    "Update",
    "analyze",
    "below_half_ulp",
    "compare_updates",
    "cosine",
    "describe_update",
    "direction_energy",
    "directions",
    "effective_rank",
    "energy_curve",
    "in_span_ratio",
    "isotropic_ranks",
    "isotropic_update",
    "jaccard",
    "jaccard_chance",
    "measure_update",
    "principal_angles",
    "rounding_floor",
    "singular_values",
    "sparsity",
    "spectral_shift",
    "stable_rank",
    "subspace_overlap",
    "summarise",
    "top_k",
    "update_mask",
    "walk",
]
