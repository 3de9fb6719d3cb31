"""From TOML, presets and `key=value` overrides to a resolved trial; every mistake is one line."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import ValidationError, create_model

from verirank.config._plugins import Kind, expect_plugin
from verirank.config._suggestions import meant_key, nearest
from verirank.config.errors import InputError
from verirank.config.trial import Section, TaskConfig, TrialConfig, plugin_config

_PLUGINS: tuple[Kind, ...] = ("method", "algorithm", "task")
_PRESETS = files("verirank.config") / "presets"
S = TypeVar("S", bound=Section)
_WITHOUT_PLUGINS = create_model(
    "_WithoutPlugins",
    __base__=Section,
    **{
        key: (Any, None) if key in _PLUGINS else (field.annotation, field)
        for key, field in TrialConfig.model_fields.items()
    },  # type: ignore[arg-type]
)
"""A trial's settings but for the plugins' sections."""


def preset_names() -> tuple[str, ...]:
    """Return the names of the shipped presets."""
    return tuple(sorted(f.name.removesuffix(".toml") for f in _PRESETS.iterdir()))


def read_settings(source: str | None) -> dict[str, Any]:
    """Read nested settings from a TOML file or a shipped preset's name; None gives no settings.

    Raises:
        InputError: there is no such file or preset, or it is not TOML.
    """
    if source is None:
        return {}
    if source in preset_names():
        return tomllib.loads((_PRESETS / f"{source}.toml").read_text("utf-8"))
    try:
        return tomllib.loads(Path(source).read_text("utf-8"))
    except FileNotFoundError:
        hint = nearest(source, preset_names()).replace("known:", "presets:")
        raise InputError(f"no file or preset {source!r}{hint}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read {source}: {error}") from None


def override(settings: dict[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """Return the settings with each `section.key=value` set; values are TOML, else plain text."""
    result = deepcopy(dict(settings))
    for assignment in assignments:
        key, separator, text = assignment.partition("=")
        if not separator or not key:
            raise InputError(f"--set takes key=value, not {assignment!r}")
        *sections, last = key.strip().split(".")
        target = result
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise InputError(f"{section!r} in --set {assignment!r} is not a section")
        target[last] = _toml_value(text.strip())
    return result


def resolve(settings: Mapping[str, Any], within: str = "") -> TrialConfig:
    """Check nested settings and fill in every default.

    Args:
        settings: by section.
        within: what stands before a key where the user wrote it, such as "trial.".

    Raises:
        InputError: a key is unknown or a value is wrong; the message names the nearest valid key.
    """
    expect_settings(settings, within)
    checked: dict[str, Any] = dict(settings)
    for kind in _PLUGINS:
        section = _named(kind, settings.get(kind, {}))
        config = plugin_config(kind, section["name"])
        checked[kind] = _validated(config, section, f"{within}{kind}.")
    return _validated(TrialConfig, checked, within)


def expect_settings(settings: Mapping[str, Any], within: str = "") -> None:
    """Refuse what is wrong without a look at the plugins, importing which loads torch.

    Raises:
        InputError: see `resolve`; keys of the method, algorithm and task are left to it.
    """
    _validated(_WITHOUT_PLUGINS, settings, within)
    for kind in _PLUGINS:
        expect_plugin(kind, _named(kind, settings.get(kind, {}))["name"])


def for_methods(shared: Mapping[str, Any], *methods: str) -> dict[str, Any]:
    """Return settings that several methods share, less those of `method` that none of some takes.

    A method takes those that it has, but for `MethodConfig.own_scale`. What a user sets for one
    method is left to `resolve`, which refuses unknown keys.

    Raises:
        InputError: no such method is installed.
    """
    if not isinstance(shared.get("method"), Mapping):
        return dict(shared)
    configs: list[Any] = [plugin_config("method", name) for name in methods]
    taken = {key for config in configs for key in config.model_fields.keys() - config.own_scale}
    kept = {key: value for key, value in shared["method"].items() if key in taken}
    return {**shared, "method": kept}


def for_task(preset: Mapping[str, Any], task: str | None) -> dict[str, Any]:
    """Return a preset's settings for a task; another task than its own has other benches.

    Args:
        preset: nested settings.
        task: the task's name; None stands for the preset's own.
    """
    own = preset.get("task", {}).get("name", TaskConfig().name)
    if task in (None, own):
        return dict(preset)
    evaluation = {k: v for k, v in preset.get("evaluation", {}).items() if k != "benches"}
    kept = {key: value for key, value in preset.items() if key != "task"}
    return kept | {"evaluation": evaluation}


def to_toml(config: Section) -> str:
    """Return the TOML that resolves to this configuration again."""
    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))


_NAMED = ("model", "task", "method", "algorithm")
"""The sections of a trial that are chosen by a name."""


def first_error(model: type[Section], error: ValidationError, prefix: str = "") -> str:
    """Return a validation error as one line, with the nearest valid key where one is unknown."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    key = prefix + ".".join(path)
    within = "trial." if prefix.startswith("trial.") or "trial" in model.model_fields else ""
    if first["type"] == "extra_forbidden":
        section = key.removesuffix(path[-1])
        beside = _keys_beside(model, path)
        is_typo = get_close_matches(path[-1], beside, n=1, cutoff=0.9)
        there = (
            _elsewhere(path[-1], beside, within)
            or ("" if is_typo else meant_key(key, within))
            or nearest(path[-1], beside, section)
        )
        return f"unknown key {key!r}{there}"
    if first["type"] in ("model_type", "dict_type"):
        if not path:
            return "input should be a section with settings of its own"
        named = f"; write {key}.name" if key.removeprefix("trial.") in _NAMED else ""
        there = named or _elsewhere(path[-1], (), within)
        there = "" if f"'{key}'" in there else there
        return (
            f"{key} = {first['input']!r}: {path[-1]} is a section with settings of its own{there}"
        )
    message = first["msg"].removeprefix("Value error, ").replace("valid tuple", "list")
    if not path:
        return message
    if first["type"] == "tuple_type" and isinstance(first["input"], str | int):
        message += f", such as {_example_list(path[-1], first['input'])}"
    return f"{key} = {first['input']!r}: {message[:1].lower()}{message[1:]}"


def _example_list(key: str, value: str | int) -> str:
    """Return a list that was probably meant where a single value was given."""
    if key == "seeds" and isinstance(value, int) and 0 < value < 100:
        return json.dumps(list(range(value)))
    return json.dumps([value])


def _elsewhere(key: str, beside: Sequence[str], within: str) -> str:
    """Return the end of an error line about a key that is right in another section."""
    if key == "name" or get_close_matches(key, beside, cutoff=0.8):
        return ""
    for name, field in TrialConfig.model_fields.items():
        section = type(field.default)
        if issubclass(section, Section) and key in section.model_fields:
            return f"; did you mean {f'{within}{name}.{key}'!r}?"
    return ""


def _named(kind: Kind, section: Any) -> dict[str, Any]:
    """Return a plugin's section with its name."""
    if not isinstance(section, Mapping):
        raise InputError(f"{kind!r} is a section: write [{kind}] with a name key")
    default: Section = TrialConfig.model_fields[kind].default
    name = section.get("name", default.name)  # type: ignore[attr-defined]
    return {**section, "name": name}


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _validated(model: type[S], data: Mapping[str, Any], prefix: str) -> S:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InputError(first_error(model, error, prefix)) from None


def _keys_beside(model: type[Section], path: list[str]) -> list[str]:
    for part in path[:-1]:
        inner = model.model_fields[part].annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            model = inner
    return [key for key in model.model_fields if key != "name"]
