"""Numbers on the command line, which are never infinite or NaN."""

from math import isfinite
from typing import Any

import click


class FiniteRange(click.FloatRange):
    """A `click.FloatRange` that refuses NaN and infinity, which lie in open ranges for click."""

    def convert(self, value: Any, param: Any, ctx: click.Context | None) -> float:
        """Return the number, or fail with what was given."""
        number = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number
