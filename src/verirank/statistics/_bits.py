"""How many bits of a random table a policy holds, from the answers that it gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

_TRUST = np.linspace(0.0, 1.0, 9)
"""How far a policy's own spread is believed: all of these are tried, and their mean is taken."""


def bits_learnt(right_P: NDArray[np.int64], stated_P: NDArray[np.int64], values: int) -> float:
    """Return the bits that a policy's answers save when a table of random values is written down.

    Of each of P keys the table has one of V values, drawn evenly. A policy answered key i with one
    of the values n_i times, c_i of them right. Its answers, without the table, predict the right
    value with q_i = (c_i + 1/V) / (n_i + 1), and the table is coded by

        bits = log2 mean_t prod_i V (t q_i + (1 - t) / V),   t = 0, 1/8, ..., 1.

    A mean over t is taken since a policy may be sure of what is wrong. As every factor's mean over
    evenly drawn values is 1, chance is corrected for exactly: of a policy that knows nothing of the
    table the expected bits are 0 at most, and b bits or more have a chance below 2^-b. Knowing all
    gives nearly P log2(V (n + 1/V) / (n + 1)), which tends to P log2 V with the samples.

    Args:
        right_P: right samples of each key.
        stated_P: samples of each key that state one of the values; others tell nothing.
        values: V.
    """
    chance = 1.0 / values
    predicted_P = (right_P + chance) / (stated_P + 1.0)
    factors_TP = values * (_TRUST[:, None] * predicted_P + (1 - _TRUST[:, None]) * chance)
    log_mean = logsumexp(np.log(factors_TP).sum(1)) - np.log(len(_TRUST))
    return float(log_mean / np.log(2))
