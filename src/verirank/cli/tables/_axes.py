"""The settings in which a study's trials differ, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

_SAID_ALONE = ("algorithm.name", "defect")
"""Axes whose values need no name beside them."""


def axes_in_words(axes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return by trial its values that most trials do not have.

    Args:
        axes: by trial, its own values of the study's axes; learning rates have a column elsewhere.
    """
    keys = {key for own in axes for key in own} - {"method.learning_rate"}
    usual = {
        key: Counter(str(own[key]) for own in axes if key in own).most_common(1)[0][0]
        for key in keys
    }
    return [
        ", ".join(
            str(value) if key in _SAID_ALONE else f"{key.split('.')[-1]} {value}"
            for key, value in own.items()
            if key in keys and (str(value) != usual[key] or len(keys) == 1 or key == "defect")
        )
        for own in axes
    ]
