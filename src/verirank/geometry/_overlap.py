"""How much two updates of the same weight have in common, each measure beside its chance level."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Size, Tensor

from verirank.geometry._entries import cosine, jaccard, jaccard_chance, update_mask
from verirank.geometry._row import Measured, Row, make_row
from verirank.geometry._spectra import rounding_floor
from verirank.geometry._subspaces import Directions, directions, subspace_overlap, top_k

_SUBSPACES = ("overlap_left", "overlap_right")


@dataclass(frozen=True)
class Update:
    """One run's update of a weight: D, the mask of updated entries, and D's leading directions.

    `leading` is None for vectors and zero updates. It holds no direction that is rounding noise.
    """

    change: Tensor
    mask: Tensor
    leading: Directions | None

    @property
    def unchanged(self) -> bool:
        """Whether D is zero."""
        return not bool(self.change.any())


def describe_update(before: Tensor, after: Tensor) -> Update:
    """Return what comparing needs of one run's update, from W0 and W+ in fp32."""
    change = after - before
    leading = _leading(change, rounding_floor(after)) if change.ndim == 2 else None
    return Update(change, update_mask(before, after), leading)


def compare_updates(name: str, first: Update, second: Update) -> Row:
    """Return the overlap of masks, directions in weight space, and leading subspaces.

    Leading subspaces are compared in as many directions as both updates have above rounding noise,
    at most `top_k`.
    """
    shape = first.change.shape
    unchanged = first.unchanged or second.unchanged
    masks = first.mask, second.mask
    measures = {
        "mask_jaccard": Measured(jaccard(*masks), jaccard_chance(*masks)),
        "cosine": Measured(None if unchanged else cosine(first.change, second.change), 0.0),
    }
    if len(shape) == 2:
        measures |= _subspace_overlaps(shape, first.leading, second.leading)
    return make_row(name, shape, unchanged=unchanged, measures=measures)


def _leading(change_MN: Tensor, floor: float) -> Directions | None:
    rows, columns = change_MN.shape
    if not bool(change_MN.any()):
        return None
    principal = directions(change_MN)
    meaningful = int((principal.values_R > floor).sum())
    k = min(top_k((rows, columns)), meaningful)
    return principal.leading(k) if k else None


def _subspace_overlaps(
    shape: Size, first: Directions | None, second: Directions | None
) -> dict[str, Measured]:
    if first is None or second is None:
        return dict.fromkeys(_SUBSPACES, Measured(None))
    k = min(first.left_MK.shape[1], second.left_MK.shape[1])
    pairs = ((d.left_MK[:, :k], d.right_NK[:, :k]) for d in (first, second))
    lefts, rights = zip(*pairs, strict=True)
    return {
        "overlap_left": Measured(subspace_overlap(*lefts), k / shape[0]),
        "overlap_right": Measured(subspace_overlap(*rights), k / shape[1]),
    }
