"""Trials that are wrong on purpose, each in one thing, beside the fair trials of a study."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from verirank.config import Control, InputError, Section, TrialConfig, override, resolve
from verirank.record import Role, Run, TrialEntry, whole_file, whole_folder
from verirank.trial import Store, trial_entry


class DefectConfig(Section):
    """What is wrong on purpose in trials that a study holds against its own, to see what it moves.

    `settings` by dotted key make the defect; one without them is named as `verirank.defects` does.
    It is added alone to the arms of `methods`, all of the study's if empty; an arm that has these
    settings already is left out.
    """

    methods: tuple[str, ...] = ()
    settings: dict[str, Any] = Field(default={})


def expect_defects(defects: Mapping[str, DefectConfig]) -> None:
    """Refuse a defect that is neither a known one nor made by settings.

    Raises:
        ValueError: it is not, or a known one has settings.
    """
    if not defects:
        return
    # They load torch, of which a study without any, and its status, need nothing.
    from verirank.defects import defect_names

    for name, defect in defects.items():
        if (name in defect_names()) == bool(defect.settings):
            known = ", ".join(defect_names())
            raise ValueError(f"defect {name!r} needs settings, save for {known}, which have none")


def with_defects(arm: TrialConfig, defects: Mapping[str, DefectConfig]) -> dict[str, TrialConfig]:
    """Return, by the name of each defect that concerns an arm, the arm with its settings.

    A defect that is no setting leaves the arm as it is; its trial is marked instead.

    Raises:
        InputError: the method has no such setting, a value is wrong, or a defect that is no setting
            does not suit the method.
    """
    defective = {}
    for name, defect in defects.items():
        if not defect.methods or arm.method.name in defect.methods:
            if not defect.settings:
                _expect_suits(arm, name)
            changed = _changed(arm, defect.settings, name)
            if changed != arm or not defect.settings:
                defective[name] = changed
    return defective


def _expect_suits(arm: TrialConfig, defect: str) -> None:
    from verirank.defects import defect_named
    from verirank.methods import create_method

    try:
        defect_named(defect).expect_suits(create_method(arm.method))
    except InputError as error:
        raise InputError(f"{error}; name the other methods in its `methods`") from None


def _changed(arm: TrialConfig, changes: Mapping[str, Any], defect: str) -> TrialConfig:
    settings = arm.model_dump(mode="json", exclude_none=True)
    assignments = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    try:
        return resolve(override(settings, assignments))
    except InputError as error:
        raise InputError(f"defect {defect!r}, {arm.method.name}: {error}") from None


@dataclass(frozen=True, slots=True)
class Defective:
    """A trial with one defect, or a control, and the fair one that it is held against.

    `mark` is the defect's name where no setting tells it. A `rescored` one takes the fair trial's
    training over and is scored with the defect.
    """

    defect: str
    trial: TrialConfig
    folder: Path
    fair: Path
    mark: str | None
    role: Role

    def start(self, store: Store) -> None:
        """Create the run, marked for good, and give it what of its training is there already."""
        if self.mark is None:
            return
        store.start(self.trial, self.folder, self.mark)
        if self.role == "rescored":
            _lend(Run(self.fair), Run(self.folder))

    def entry(self, store: Store) -> TrialEntry:
        """Return the trial's line in the study's list."""
        name, fair = store.name_of(self.folder), store.name_of(self.fair)
        return trial_entry(self.trial, self.role, name, defect=self.defect, fair=fair)


def control_trials(
    trials: Sequence[TrialConfig],
    controls: Sequence[Control],
    methods: Collection[str],
    store: Store,
) -> list[Defective]:
    """Return the controls that a study adds to its fair trials, one control after the other.

    Args:
        trials: the fair ones, each with its seed and learning rate.
        controls: of the study.
        methods: whose trials have controls; those of all methods if empty.
        store: where all of them lie.
    """
    held = [trial for trial in trials if not methods or trial.method.name in methods]
    controlled = [(c, t, t.model_copy(update={"control": c})) for c in controls for t in held]
    return [
        Defective(control, trial, store.trial(trial), store.trial(fair), None, "control")
        for control, fair, trial in controlled
    ]


def defective_trials(
    trials: Sequence[TrialConfig], defects: Mapping[str, DefectConfig], store: Store
) -> list[Defective]:
    """Return the trials that a study adds to its fair ones, defect by defect.

    Args:
        trials: the fair ones, each with its seed and learning rate.
        defects: of the study.
        store: where all of them lie.
    """
    defective = [d for trial in trials for d in _defective(trial, defects, store)]
    order = list(defects)
    return sorted(defective, key=lambda one: order.index(one.defect))


def _defective(
    fair: TrialConfig, defects: Mapping[str, DefectConfig], store: Store
) -> Iterator[Defective]:
    from verirank.defects import defect_named, defect_names

    for name, trial in with_defects(fair, defects).items():
        mark = name if name in defect_names() else None
        trains = mark is None or defect_named(mark).in_training
        role: Role = "defective" if trains else "rescored"
        yield Defective(name, trial, store.trial(trial, mark), store.trial(fair), mark, role)


def _lend(fair: Run, run: Run) -> None:
    """Give a run the end of another's training, from which it goes on to be scored.

    Whatever a kill leaves out would be trained again, to the same bits.
    """
    for checkpoint in fair.checkpoints()[-1:]:
        parts = ("metrics.jsonl", "init", f"checkpoints/{checkpoint.name}")
        for part in parts:
            source, target = fair.folder / part, run.folder / part
            if source.is_dir() and not target.exists():
                with whole_folder(target) as scratch:
                    shutil.copytree(source, scratch, dirs_exist_ok=True)
            elif source.is_file() and not target.exists():
                with whole_file(target) as scratch:
                    shutil.copyfile(source, scratch)
