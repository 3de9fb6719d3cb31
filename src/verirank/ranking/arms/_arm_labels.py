"""The shortest unambiguous label of each arm."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any


def arm_labels(methods: list[str], settings: list[dict[str, Any]]) -> list[str]:
    """Return each arm's method, followed by the settings in which it differs from most of them."""
    by_method: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for method, arm in zip(methods, settings, strict=True):
        by_method[method].append(arm)
    varied = {method: _varied(arms) for method, arms in by_method.items()}
    return [_label(m, arm, varied[m]) for m, arm in zip(methods, settings, strict=True)]


def _varied(arms: list[dict[str, Any]]) -> dict[str, str | None]:
    """Return the keys in which a method's arms differ, with the majority's value, if any."""
    varied: dict[str, str | None] = {}
    for key in sorted({key for settings in arms for key in settings}):
        values = Counter(str(settings.get(key)) for settings in arms)
        most_common, times = values.most_common(1)[0]
        if len(values) > 1 and not _follows_from_the_algorithm(key, arms):
            varied[key] = most_common if times > len(arms) / 2 else None
    return varied


def _label(method: str, settings: dict[str, Any], varied: dict[str, str | None]) -> str:
    """Return the method's name with the settings in which this arm differs from the majority."""
    parts = [
        _setting_text(key, settings.get(key, "default"))
        for key, majority in varied.items()
        if str(settings.get(key)) != majority
    ]
    return f"{method} ({', '.join(parts)})" if parts else method


def _setting_text(key: str, value: Any) -> str:
    return str(value) if key == "algorithm.name" else f"{key.split('.')[-1]} {value}"


def _follows_from_the_algorithm(key: str, arms: list[dict[str, Any]]) -> bool:
    """Return whether an algorithm's setting is implied by the algorithm's name."""
    if not key.startswith("algorithm.") or key == "algorithm.name":
        return False
    pairs = {(str(s.get("algorithm.name")), str(s.get(key))) for s in arms}
    return len(pairs) == len({name for name, _ in pairs})
