"""peft's renaming of adapted modules, which takes adapters of earlier transformers for granted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def renamed_by_peft(model: Any) -> set[str]:
    """Return the last parts of linear layers' names that peft takes for former names of experts.

    An adapter that names one of them in `target_modules` is loaded onto the stacked experts.
    """
    from peft.utils import transformers_weight_conversion as conversion

    patterns: Any = vars(conversion)["_MODEL_TO_CONVERSION_PATTERN"]
    kind = patterns.get(model.config.model_type)
    return set(conversion._MOE_TARGET_MODULE_MAPPING.get(kind, {}))


@contextmanager
def names_as_they_are(model: Any) -> Iterator[None]:
    """Let peft take the names of a model's modules for what they are."""
    from peft.utils import transformers_weight_conversion as conversion

    patterns: Any = vars(conversion)["_MODEL_TO_CONVERSION_PATTERN"]
    kind = model.config.model_type
    pattern = patterns.pop(kind, None)
    try:
        yield
    finally:
        if pattern is not None:
            patterns[kind] = pattern
