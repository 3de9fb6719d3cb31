"""The one table of default learning rates."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from verirank.config.errors import InputError
from verirank.config.trial import MethodConfig


@cache
def learning_rates() -> dict[str, dict[str, Any]]:
    """Return per method its rate on `micro`, that on `other` models, and how they were `found`."""
    text = (files("verirank.config") / "learning_rates.toml").read_text("utf-8")
    return tomllib.loads(text)


def learning_rate_of(method: MethodConfig, model: str) -> float:
    """Return the rate that a method is trained with: the configured one, or its default.

    Raises:
        InputError: none is configured and the table has no row for the method.
    """
    if method.learning_rate is not None:
        return method.learning_rate
    row = learning_rates().get(method.name)
    if row is None:
        raise InputError(
            f"method {method.name!r} has no default learning rate; set method.learning_rate"
        )
    return row["micro" if model == "micro" else "other"]
