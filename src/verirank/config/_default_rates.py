"""Default learning rates: each method states its own."""

from __future__ import annotations

from dataclasses import dataclass

from verirank.config._plugins import load_plugin
from verirank.config.errors import InputError
from verirank.config.trial import MethodConfig, Optimiser


@dataclass(frozen=True, slots=True)
class DefaultRates:
    """A method's default learning rates.

    The rates of the shipped methods on `micro` are the best of docs/results/learning_rates.json on
    the selection problems (rank 8 where there is a rank, 256 of VeRA; one seed).

    Args:
        micro: the rate on the micro model.
        other: the rate on any other model.
        how_found: where the rate for other models comes from.
    """

    micro: float
    other: float
    how_found: str


_OF_ADAMW: dict[Optimiser, float] = {"adamw": 1.0, "muon": 1.0, "sgd": 100.0}
"""Default rates by AdamW's. Muon's steps are scaled to AdamW's; SGD's is a guess, to search from:
a clipped gradient's step at 100 times the rate is about as long as AdamW's with 10^5 parameters."""


def learning_rate_of(method: MethodConfig, model: str, optimizer: Optimiser = "adamw") -> float:
    """Return the configured learning rate of a method, or else its default for a model.

    Defaults were found with AdamW; those of another optimiser follow from them.

    Raises:
        InputError: no rate is configured and the method has no default.
    """
    if method.learning_rate is not None:
        return method.learning_rate
    rates: DefaultRates | None = load_plugin("method", method.name).default_rates
    if rates is None:
        raise InputError(
            f"method {method.name!r} has no default learning rate; set method.learning_rate"
        )
    return _OF_ADAMW[optimizer] * (rates.micro if model == "micro" else rates.other)
