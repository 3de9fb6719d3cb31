"""Settings as nested sections: from dotted keys, put together, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def nested(key: str, value: Any) -> dict[str, Any]:
    """Return settings with one value, of a dotted key."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with changes, section by section."""
    result = dict(settings)
    for key, value in changes.items():
        inner = result.get(key)
        if isinstance(inner, Mapping) and isinstance(value, Mapping):
            value = merged(inner, value)
        result[key] = value
    return result


def by_dotted_key(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted key."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        inner = by_dotted_key(value, f"{prefix}{key}.") if isinstance(value, Mapping) else None
        flat |= {f"{prefix}{key}": value} if inner is None else inner
    return flat
