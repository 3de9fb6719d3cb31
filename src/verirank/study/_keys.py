"""The dotted keys of all settings."""

from __future__ import annotations

from typing import Literal

from verirank.config import Section, TrialConfig, load_plugin, plugin_names


def known_keys() -> set[str]:
    """Return the dotted keys of all settings, those of every installed plugin among them."""
    keys = set()
    for section, field in TrialConfig.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            keys |= {f"{section}.{key}" for key in field.annotation.model_fields}
    kinds: tuple[Literal["method", "algorithm", "task"], ...] = ("method", "algorithm", "task")
    for kind in kinds:
        for name in plugin_names(kind):
            keys |= {f"{kind}.{key}" for key in load_plugin(kind, name).Config.model_fields}
    return keys
