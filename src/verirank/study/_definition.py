"""What a study asks: its file, and the arms that it compares."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from verirank.config import (
    CONTENDERS,
    ArmConfig,
    Control,
    InputError,
    Section,
    TrialConfig,
    first_error,
    for_methods,
    for_task,
    learning_rate_of,
    load_plugin,
    meant_key,
    merged,
    nearest,
    nearest_plugin,
    nested,
    plugin_names,
    read_settings,
    resolve,
    to_toml,
)
from verirank.study._arm import Arm
from verirank.study._confounds import DefectConfig, expect_defects
from verirank.study._equal_parameters import are_matched, known_to_lora, matched
from verirank.study._keys import known_keys
from verirank.study._race_config import RaceConfig, with_seeds

DEFINITION = "study.toml"
LOCK = ".lock"
"""Held in a study's folder while it is being run."""
_SAME_FOR_ALL = frozenset({"model.name", "model.dtype", "task.name", "evaluation.problems"})
_SHIPPED = files("verirank.study") / "shipped"


class SearchConfig(Section):
    """The fair protocol's budget, the same for every arm.

    `learning_rates` rates are spaced evenly in log between prior / sqrt(span) and
    prior * sqrt(span), and each is trained with every one of `seeds`, which are not ranked. After
    each of `rungs`, fractions of a trial's steps, trials are scored on `bench`, and rates that are
    surely worse than the best go no further.
    """

    learning_rates: int = Field(default=5, ge=1)
    span: float = Field(default=100.0, gt=1)
    bench: str = "selection"
    rungs: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.5, 0.75)
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = (1000, 1001, 1002)

    @model_validator(mode="after")
    def _check(self) -> SearchConfig:
        if list(self.rungs) != sorted(set(self.rungs)):
            raise ValueError("rungs must rise")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds must be named once each")
        if len(self.seeds) < 2:
            raise ValueError("seeds must be two at least, for one cannot tell a rate from luck")
        return self


class Study(Section):
    """A set of trials that answers a question.

    Args:
        name: of the study.
        question: what it answers, in a sentence.
        preset: a shipped preset or TOML file that every trial starts from.
        trial: settings over the preset's, in the shape of trial.toml.
        methods: names; the thirteen contenders (`verirank.config.CONTENDERS`) if empty.
        overrides: by method, settings of its own section over all others': an unequal set-up.
        seeds: of the ranked trials; of a race, the first ones are trained first, and 0, 1, 2 and
            so on up to its last look if none are named.
        protocol: `single` trains each arm at its own learning rate; `fair` searches that first,
            around the method's default or the rate in `overrides`, whatever the preset's rate is;
            `race` searches, too, and then trains seeds only where the question is still open.
        axes: values a dotted key, such as "method.rank"; a method without that key is left out.
        design: `crossed` takes every combination of the axes' values, `one-at-a-time` the trial
            as it is and then each value of each axis alone.
        match: `rank` leaves ranks as they are set, `parameters` solves each method's rank for the
            trainable parameters of LoRA, `time` each method's steps for the training time of LoRA.
        steps: by method, training steps over all others'; `time` writes here what it solved.
        search: the budget of a fair study's search, and of a race's.
        race: when a race compares its arms, and when it stops.
        failed_runs: what a run that failed by its own fault scores: as the `base` does, or `zero`.
        defects: by name, what is wrong on purpose in further trials, which are never ranked.
        controls: what further trials are taught instead of right answers (`ArmConfig.control`).
        controlled: the methods that have these controls; all if empty.
    """

    name: str
    question: str = ""
    preset: str | None = None
    trial: dict[str, Any] = Field(default={})
    methods: tuple[str, ...] = ()
    overrides: dict[str, dict[str, Any]] = Field(default={})
    seeds: tuple[int, ...] = (0,)
    protocol: Literal["single", "fair", "race"] = "single"
    axes: dict[str, tuple[Any, ...]] = Field(default={})
    design: Literal["crossed", "one-at-a-time"] = "crossed"
    match: Literal["rank", "parameters", "time"] = "rank"
    steps: dict[str, int] = Field(default={})
    search: SearchConfig = SearchConfig()
    race: RaceConfig = RaceConfig()
    failed_runs: Literal["base", "zero"] = "base"
    defects: dict[str, DefectConfig] = Field(default={})
    controls: tuple[Control, ...] = ()
    controlled: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _seeds_of_a_race(cls, settings: Any) -> Any:
        return with_seeds(settings)

    @model_validator(mode="after")
    def _check(self) -> Study:
        if not self.name.isprintable():
            raise ValueError("name must have no control characters: it is printed in terminals")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds must be named once each, one at least")
        if self.protocol == "fair" and len(self.seeds) < 3:
            raise ValueError("the fair protocol ranks at least three seeds")
        if self.protocol != "race" and self.race != RaceConfig():
            raise ValueError("race is the race protocol's; set protocol = 'race'")
        if self.protocol == "race":
            self.race.expect(self.seeds, has_others=bool(self.defects or self.controls))
        both = sorted({*self.search.seeds} & {*self.seeds})
        if self.searches and both:
            raise ValueError(f"seed {both[0]} is the search's; rank others")
        # A begun study of any protocol spells the defaults out.
        if not self.searches and self.search != SearchConfig():
            raise ValueError("search is the fair protocol's; set protocol = 'fair'")
        if self.searches and "method.learning_rate" in self.axes:
            raise ValueError("the fair protocol searches method.learning_rate; it is no axis there")
        if self.searches and len(self.methods) != 1 and self._sets_rate_of_all():
            raise ValueError(
                "the fair protocol centres each method's search on that method's default rate, not "
                "on one trial.method.learning_rate for all; set overrides.METHOD.learning_rate"
            )
        if "control" in self.trial:
            raise ValueError("a study ranks no controls; name them under `controls`")
        if self.controlled and not self.controls:
            raise ValueError("controlled names methods, but controls names no control")
        if "seed" in self.axes or "seed" in self.trial:
            raise ValueError("seeds are named under `seeds`, not under axes or trial")
        if self.searches and self.match == "time":
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

    @property
    def searches(self) -> bool:
        """Whether learning rates are searched before trials are ranked."""
        return self.protocol == "fair" or (self.protocol == "race" and self.race.search)

    def arms(self) -> list[Arm]:
        """Return the distinct arms in order, each with its default learning rate spelled out.

        Raises:
            InputError: a method, key or value is wrong.
        """
        self._expect_axes()
        self._refuse_settings_that_no_method_has()
        arms: dict[str, Arm] = {}
        settings = self._settings()
        for method in self._method_names():
            for changes in self._combinations(method):
                arm = Arm.of(self._arm(settings, method, changes))
                arms.setdefault(arm.name, arm)
        self._expect_search_bench([arm.settings for arm in arms.values()])
        if not arms:
            raise InputError(f"study {self.name!r} has no trial: no method has its axes' keys")
        return list(arms.values())

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
        settings, methods = self._settings(), dict[str, None]()
        for method in self._method_names():
            for changes in self._combinations(method):
                arm = self._arm(settings, method, changes)
                lora = self._arm(settings, "lora", known_to_lora(changes))
                if not are_matched(arm, lora):
                    methods[method] = None
        return tuple(methods)

    def spelled_out(self) -> Study:
        """Return the same study with its preset's settings and its methods written into it.

        It stays what it is when the preset or the default methods change.
        """
        methods = self._method_names()
        trial = merged(for_methods(self._preset(), *methods), self.trial)
        return self.model_copy(update={"preset": None, "trial": trial, "methods": methods})

    def _method_names(self) -> tuple[str, ...]:
        """Return the methods that are named, or else the thirteen contenders."""
        return self.methods or CONTENDERS

    def _expect_axes(self) -> None:
        """Refuse axes that are no settings, or that no report could compare."""
        known = known_keys() if self.axes else set()
        for key in self.axes:
            if key not in known:
                raise InputError(f"axes: no setting {key!r}{meant_key(key) or nearest(key, known)}")
            if key in _SAME_FOR_ALL:
                raise InputError(
                    f"study {self.name!r}: {key} cannot be an axis, for a report compares methods "
                    "on one base and the same problems; make a study of each value"
                )

    def _refuse_settings_that_no_method_has(self) -> None:
        """Refuse keys under trial.method and overrides, which a method that lacks them ignores."""
        names = plugin_names("method")
        fields = {name: set(load_plugin("method", name).Config.model_fields) for name in names}
        written = {"trial.method.": (self.trial.get("method", {}), set.union(*fields.values()))}
        for name, own in self.overrides.items():
            written[f"overrides.{name}."] = (own, fields[name])
        for section, (given, known) in written.items():
            for key in given if isinstance(given, Mapping) else ():
                if key not in known:
                    hint = nearest(key, known, section)
                    raise InputError(f"study {self.name!r}: unknown key {section + key!r}{hint}")
        shared = for_methods(self.trial, *self._method_names()).get("method", {})
        for key in self.trial.get("method", {}):
            if key not in shared:
                hint = f"set overrides.METHOD.{key} for one that has it"
                raise InputError(f"study {self.name!r}: none of its methods takes {key}; {hint}")

    def _expect_search_bench(self, arms: Sequence[ArmConfig]) -> None:
        """Refuse to select on a bench that no task has, or on one that is ranked."""
        from verirank.tasks import load_task

        if not self.searches:
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
        return merged(self._preset(), self.trial)

    def _preset(self) -> dict[str, Any]:
        """Return the preset's settings, as far as they suit the study's task.

        A search has no use for a preset's one learning rate: defaults differ by a factor of 1,000.
        """
        task = self.trial.get("task")
        named = task.get("name") if isinstance(task, Mapping) else None
        preset = for_task(read_settings(self.preset), named)
        if not self.searches or not isinstance(preset.get("method"), Mapping):
            return preset
        own = {key: value for key, value in preset["method"].items() if key != "learning_rate"}
        return preset | {"method": own}

    def _sets_rate_of_all(self) -> bool:
        method = self.trial.get("method")
        return isinstance(method, Mapping) and "learning_rate" in method

    def _arm(
        self, settings: Mapping[str, Any], method: str, changes: Mapping[str, Any]
    ) -> TrialConfig:
        settings = {"method": {}} | for_methods(settings, method)
        settings["method"] = settings["method"] | self.overrides.get(method, {}) | {"name": method}
        settings["seed"] = self.seeds[0]
        changed = settings
        for key, value in changes.items():
            changed = merged(changed, nested(key, value))
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
        rate = learning_rate_of(arm.method, arm.model.name, arm.training.optimizer)
        method_config = arm.method.model_copy(update={"learning_rate": rate})
        return arm.model_copy(update={"method": method_config})


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
        raise InputError(f"{source}: methods is empty; leave it out for the default methods")
    known = plugin_names("method")
    spoiled = [method for defect in study.defects.values() for method in defect.methods]
    for method in (*study.methods, *study.overrides, *study.steps, *spoiled, *study.controlled):
        if method not in known:
            raise InputError(f"{source}: unknown method {method!r}{nearest_plugin(method, known)}")
    for naming, named in (("defects name", spoiled), ("controlled names", study.controlled)):
        for method in named if study.methods else ():
            if method not in study.methods:
                raise InputError(f"{source}: {naming} {method!r}, which it does not train")
    return study
