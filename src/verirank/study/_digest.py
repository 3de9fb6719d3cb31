"""Short names for settings: equal settings, equal names."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def digest(settings: dict[str, Any], length: int) -> str:
    """Return the first hexadecimal digits of the SHA-256 of settings, whatever their order."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:length]
