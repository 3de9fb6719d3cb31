"""One weight's measures, as they stand in geometry.json."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod

from torch import Size

from verirank.geometry._energy import Curve


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure and what an update without structure would give; None where it has no meaning."""

    value: float | None
    null: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """The measures of one weight, or of two updates of it.

    `module` is the kind of module, such as `q_proj`, or `q_proj.bias` for its bias; `layer` is None
    outside the blocks. An `unchanged` weight has no update to measure: what would describe its
    direction or spread is None.
    """

    name: str
    module: str
    layer: int | None
    shape: tuple[int, ...]
    unchanged: bool
    measures: dict[str, Measured]
    curves: dict[str, Curve]

    @property
    def entries(self) -> int:
        """The number of the weight's entries."""
        return prod(self.shape)


def make_row(
    name: str,
    shape: Size,
    *,
    unchanged: bool,
    measures: dict[str, Measured],
    curves: dict[str, Curve] | None = None,
) -> Row:
    """Return a row whose module and layer are read out of the weight's name."""
    layer = re.search(r"\.(\d+)\.", name)
    module = name.removesuffix(".weight").split(".")
    kind = ".".join(module[-2:]) if module[-1] == "bias" else module[-1]
    number = int(layer.group(1)) if layer else None
    return Row(name, kind, number, tuple(shape), unchanged, measures, curves or {})
