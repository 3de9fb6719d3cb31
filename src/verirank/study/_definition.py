"""What a study asks: its file, and the arms (a configuration without its seed) that it names."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from verirank.config import (
    InputError,
    Section,
    TrialConfig,
    first_error,
    learning_rate_of,
    load_plugin,
    nearest,
    plugin_names,
    read_settings,
    resolve,
    to_toml,
)
from verirank.study._confounds import DefectConfig, expect_defects
from verirank.study._equal_parameters import are_matched, known_to_lora, matched
from verirank.study._store import trial_id

DEFINITION = "study.toml"
LOCK = ".lock"
"""Held in a study's folder while it is being run."""
_SAME_FOR_ALL = frozenset({"model.name", "model.dtype", "task.name", "evaluation.problems"})
_SHIPPED = files("verirank.study") / "shipped"


class SearchConfig(Section):
    """The fair protocol's budget, the same for every arm.

    `learning_rates` trials are spaced evenly in log between prior / sqrt(span) and
    prior * sqrt(span). Successive halving scores them on `bench` after `first_steps` steps and
    keeps about one in `reduction` for `reduction` times as many steps, until the last step.
    `seed` is not one of the seeds that are ranked.
    """

    learning_rates: int = Field(default=5, ge=1)
    span: float = Field(default=100.0, gt=1)
    bench: str = "selection"
    first_steps: int = Field(default=15, ge=1)
    reduction: int = Field(default=2, ge=2)
    seed: int = Field(default=1000, ge=0)


class Study(Section):
    """A set of trials that answers a question.

    Args:
        name: of the study.
        question: what it answers, in a sentence.
        preset: a shipped preset or TOML file that every trial starts from.
        trial: settings over the preset's, in the shape of trial.toml.
        methods: names; every installed method if empty.
        overrides: by method, settings of its own section over all others': an unequal set-up.
        seeds: of the ranked trials.
        protocol: `single` trains each arm at its own learning rate; `fair` searches that first.
        axes: values a dotted key, such as "method.rank"; a method without that key is left out.
        design: `crossed` takes every combination of the axes' values, `one-at-a-time` the trial
            as it is and then each value of each axis alone.
        match: `rank` leaves ranks as they are set, `parameters` solves each method's rank for the
            trainable parameters of LoRA, `time` each method's steps for the training time of LoRA.
        steps: by method, training steps over all others'; `time` writes here what it solved.
        search: the fair protocol's budget.
        defects: by name, what is wrong on purpose in further trials, which are never ranked.
    """

    name: str
    question: str = ""
    preset: str | None = None
    trial: dict[str, Any] = Field(default={})
    methods: tuple[str, ...] = ()
    overrides: dict[str, dict[str, Any]] = Field(default={})
    seeds: tuple[int, ...] = (0,)
    protocol: Literal["single", "fair"] = "single"
    axes: dict[str, tuple[Any, ...]] = Field(default={})
    design: Literal["crossed", "one-at-a-time"] = "crossed"
    match: Literal["rank", "parameters", "time"] = "rank"
    steps: dict[str, int] = Field(default={})
    search: SearchConfig = SearchConfig()
    defects: dict[str, DefectConfig] = Field(default={})

    @model_validator(mode="after")
    def _check(self) -> Study:
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds must be named once each, one at least")
        if self.protocol == "fair" and len(self.seeds) < 3:
            raise ValueError("the fair protocol ranks at least three seeds")
        if self.protocol == "fair" and self.search.seed in self.seeds:
            raise ValueError(f"seed {self.search.seed} is the search's; rank others")
        # A begun study of any protocol spells the defaults out.
        if self.protocol == "single" and self.search != SearchConfig():
            raise ValueError("search is the fair protocol's; set protocol = 'fair'")
        if self.protocol == "fair" and "method.learning_rate" in self.axes:
            raise ValueError("the fair protocol searches method.learning_rate; it is no axis there")
        if "seed" in self.axes or "seed" in self.trial:
            raise ValueError("seeds are named under `seeds`, not under axes or trial")
        if self.protocol == "fair" and self.match == "time":
            raise ValueError(
                "the fair protocol searches every method with as many steps, which take unequal "
                "time; search with match = 'rank', then rank with match = 'time' and protocol = "
                "'single' at the rates found, as overrides.METHOD.learning_rate"
            )
        if self.match == "time" and self.axes:
            raise ValueError("match = 'time' solves one number of steps a method: it has no axes")
        if wrong := [method for method, steps in self.steps.items() if steps < 1]:
            raise ValueError(f"steps.{wrong[0]} must be 1 or more")
        if empty := [key for key, values in self.axes.items() if not values]:
            raise ValueError(f"axis {empty[0]!r} has no values")
        expect_defects(self.defects)
        return self

    def arms(self) -> list[TrialConfig]:
        """Return the arms in order, each with its learning rate spelled out and the first seed.

        Raises:
            InputError: a method, key or value is wrong.
        """
        self._expect_axes()
        self._refuse_settings_that_no_method_has()
        found: dict[str, TrialConfig] = {}
        settings = self._settings()
        for method in self.methods or plugin_names("method"):
            for changes in self._combinations(method):
                arm = self._arm(settings, method, changes)
                found.setdefault(trial_id(arm), arm)
        self._expect_search_bench(list(found.values()))
        if not found:
            raise InputError(f"study {self.name!r} has no trial: no method has its axes' keys")
        return list(found.values())

    def left_out(self) -> dict[str, tuple[str, ...]]:
        """Return by each method that is named, but crossed with axes it lacks, their keys.

        Raises:
            InputError: an axis is no setting.
        """
        self._expect_axes()
        if self.design != "crossed":
            return {}
        lacking = {method: set(self.axes) - set(self._axes_of(method)) for method in self.methods}
        return {method: tuple(sorted(keys)) for method, keys in lacking.items() if keys}

    def unmatched(self) -> tuple[str, ...]:
        """Return the methods of `match = "parameters"` that no rank brings near LoRA's number."""
        if self.match != "parameters":
            return ()
        settings, found = self._settings(), dict[str, None]()
        for method in self.methods or plugin_names("method"):
            for changes in self._combinations(method):
                arm = self._arm(settings, method, changes)
                lora = self._arm(settings, "lora", known_to_lora(changes))
                if not are_matched(arm, lora):
                    found[method] = None
        return tuple(found)

    def spelled_out(self) -> Study:
        """Return the same study with its preset's settings and its methods written into it.

        It stays what it is when the preset changes, or another method is installed.
        """
        trial = self._settings()
        methods = self.methods or plugin_names("method")
        return self.model_copy(update={"preset": None, "trial": trial, "methods": methods})

    def _expect_axes(self) -> None:
        """Refuse axes that are no settings, or that no report could compare."""
        known = _known_keys() if self.axes else set()
        for key in self.axes:
            if key not in known:
                raise InputError(f"axes: no setting {key!r}{nearest(key, known)}")
            if key in _SAME_FOR_ALL:
                raise InputError(
                    f"study {self.name!r}: {key} cannot be an axis, for a report compares methods "
                    "on one base and the same problems; make a study of each value"
                )

    def _refuse_settings_that_no_method_has(self) -> None:
        """Refuse keys under trial.method and overrides, which a method that lacks them ignores."""
        configs = {name: load_plugin("method", name).Config for name in plugin_names("method")}
        fields = {name: set(config.model_fields) for name, config in configs.items()}
        written = {"trial.method.": (self.trial.get("method", {}), set.union(*fields.values()))}
        for name, own in self.overrides.items():
            written[f"overrides.{name}."] = (own, fields[name])
        for section, (given, known) in written.items():
            for key in given if isinstance(given, Mapping) else ():
                if key not in known:
                    hint = nearest(key, known, section)
                    raise InputError(f"study {self.name!r}: unknown key {section + key!r}{hint}")

    def _expect_search_bench(self, arms: Sequence[TrialConfig]) -> None:
        """Refuse to select on a bench that no task has, or on one that is ranked."""
        from verirank.tasks import load_task

        if self.protocol != "fair":
            return
        if self.search.bench in {bench for arm in arms for bench in arm.evaluation.benches}:
            raise InputError(
                f"search.bench {self.search.bench!r} is one of the benches that are ranked; "
                "select on another"
            )
        for config in {to_toml(arm.task): arm.task for arm in arms}.values():
            task = load_task(config)
            if self.search.bench not in task.benches:
                task.bench(self.search.bench, 1)  # says which it has

    def _axes_of(self, method: str) -> dict[str, tuple[Any, ...]]:
        """Return the axes but for those of settings that a method has not."""
        known = {f"method.{name}" for name in load_plugin("method", method).Config.model_fields}
        return {k: v for k, v in self.axes.items() if not k.startswith("method.") or k in known}

    def _combinations(self, method: str) -> Iterator[dict[str, Any]]:
        axes = self._axes_of(method)
        if self.design == "one-at-a-time":
            yield {}
            yield from ({key: value} for key, values in axes.items() for value in values)
        elif len(axes) == len(self.axes):
            yield from (dict(zip(axes, values, strict=True)) for values in product(*axes.values()))

    def _settings(self) -> dict[str, Any]:
        """Return what all trials start from."""
        return _merged(read_settings(self.preset), self.trial)

    def _arm(
        self, settings: Mapping[str, Any], method: str, changes: Mapping[str, Any]
    ) -> TrialConfig:
        settings = dict(settings)
        known = load_plugin("method", method).Config.model_fields
        # One preset serves every method: what a method has no setting for does not concern it.
        shared = {k: v for k, v in settings.get("method", {}).items() if k in known}
        settings["method"] = shared | self.overrides.get(method, {}) | {"name": method}
        settings["seed"] = self.seeds[0]
        changed = settings
        for key, value in changes.items():
            changed = _merged(changed, _nested(key, value))
        try:
            arm = resolve(changed, "axes." if changes else "trial.")
        except InputError as error:
            if changes:
                # What is wrong without them is not the axes' fault.
                self._arm(settings, method, {})
            raise InputError(f"study {self.name!r}, {method}: {error}") from None
        if self.match == "parameters" and method != "lora":
            arm = matched(arm, self._arm(settings, "lora", known_to_lora(changes)))
        if method in self.steps:
            training = arm.training.model_copy(update={"steps": self.steps[method]})
            arm = arm.model_copy(update={"training": training})
        return with_learning_rate(arm, learning_rate_of(arm.method, arm.model.name))


def study_names() -> tuple[str, ...]:
    """Return the names of the shipped studies."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in _SHIPPED.iterdir()))


def read_study(source: str | Path) -> Study:
    """Read a study's file, or a shipped study by its name.

    Raises:
        InputError: there is no such file or study, it is not TOML, or a key or value is wrong.
    """
    file = _SHIPPED / f"{source}.toml" if str(source) in study_names() else Path(source)
    try:
        return make_study(tomllib.loads(file.read_text("utf-8")), str(source))
    except FileNotFoundError:
        hint = nearest(str(source), study_names()).replace("known:", "shipped:")
        raise InputError(f"no study {str(source)!r}; give a TOML file{hint}") from None
    except IsADirectoryError:
        hint = f"; its study is {file / DEFINITION}" if (file / DEFINITION).is_file() else ""
        raise InputError(f"{source} is a folder, not a study's file{hint}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read {source}: {error}") from None


def open_study(out: Path) -> Study:
    """Return the study that a folder was begun with.

    Raises:
        InputError: the folder holds no study.
    """
    if not out.exists():
        raise InputError(f"there is no study {out}: it does not exist; start one with study run")
    if not (out / DEFINITION).is_file():
        raise InputError(f"{out} holds no study (no {DEFINITION}); start one with study run")
    return read_study(out / DEFINITION)


def make_study(settings: Mapping[str, Any], source: str = "the study") -> Study:
    """Return the study that settings describe.

    Raises:
        InputError: a key or value is wrong; the message names the nearest valid key.
    """
    try:
        study = Study.model_validate(dict(settings))
    except ValidationError as error:
        raise InputError(f"{source}: {first_error(Study, error)}") from None
    if settings.get("methods") == []:
        raise InputError(f"{source}: methods is empty; leave it out for every installed method")
    known = plugin_names("method")
    spoiled = [method for defect in study.defects.values() for method in defect.methods]
    for method in (*study.methods, *study.overrides, *study.steps, *spoiled):
        if method not in known:
            raise InputError(f"{source}: unknown method {method!r}{nearest(method, known)}")
    for method in spoiled:
        if study.methods and method not in study.methods:
            raise InputError(f"{source}: defects name {method!r}, which the study does not train")
    return study


def with_learning_rate(arm: TrialConfig, rate: float) -> TrialConfig:
    """Return the arm at another learning rate."""
    method = arm.method.model_copy(update={"learning_rate": rate})
    return arm.model_copy(update={"method": method})


def with_seed(arm: TrialConfig, seed: int) -> TrialConfig:
    """Return the trial of an arm at a seed."""
    return arm.model_copy(update={"seed": seed})


def _known_keys() -> set[str]:
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


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def _merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(settings)
    for key, value in changes.items():
        inner = result.get(key)
        if isinstance(inner, Mapping) and isinstance(value, Mapping):
            value = _merged(inner, value)
        result[key] = value
    return result
