"""Which methods are installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from verirank.config import MethodConfig, load_plugin, plugin_names
from verirank.methods._method import Method


def method_config(values: Mapping[str, Any]) -> MethodConfig:
    """Return the settings of the method that `values["name"]` names.

    Raises:
        InputError: no such method is installed.
    """
    return load_plugin("method", values["name"]).Config.model_validate(dict(values))


def create_method(config: MethodConfig) -> Method:
    """Return the method that a configuration names; a bare name stands for its defaults.

    Raises:
        InputError: no such method is installed.
    """
    method: type[Method] = load_plugin("method", config.name)
    if not isinstance(config, method.Config):
        config = method_config(config.model_dump())
    return method(config)


def default_methods() -> tuple[Method, ...]:
    """Return every installed method at its defaults, in alphabetical order."""
    return tuple(create_method(MethodConfig(name=name)) for name in plugin_names("method"))
