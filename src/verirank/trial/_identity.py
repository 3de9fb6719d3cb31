"""A trial's name: equal settings, equal names."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from verirank.config import TrialConfig

_DIGITS = 10


def digest(settings: dict[str, Any], length: int) -> str:
    """Return the first hexadecimal digits of the SHA-256 of settings, whatever their order."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def trial_id(config: TrialConfig, defect: str | None = None) -> str:
    """Return method, seed and a hash of all settings: equal settings have equal names.

    How the trial is executed is left out, because a resumed trial may run on another machine. A
    defect that is not a setting is part of the name and of the hash.
    """
    settings = config.identity()
    if defect is not None:
        settings["defect"] = defect
    name = "-".join(filter(None, (config.method.name, defect)))
    return f"{name}-seed{config.seed}-{digest(settings, _DIGITS)}"
