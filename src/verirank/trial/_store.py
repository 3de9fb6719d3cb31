"""Where trials lie, under names that their settings alone decide."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from verirank.config import InputError, ModelConfig, Section, TaskConfig, TrialConfig
from verirank.record import DamagedError, Role, Run, TrialEntry, execute_as, read_json, write_json
from verirank.trial._identity import digest, trial_id
from verirank.trial._outcome import OtherInputsError

_DIGITS = 10


def trial_entry(
    config: TrialConfig,
    role: Role,
    name: str,
    *,
    defect: str | None = None,
    fair: str | None = None,
) -> TrialEntry:
    """Return a trial's line in the study's list; its learning rate has to be spelled out.

    Args:
        config: the trial.
        role: its part in the study.
        name: its folder's path below the store.
        defect: what is wrong with it on purpose.
        fair: the path of the trial that it is held against.
    """
    rate = config.method.learning_rate
    assert rate is not None
    return TrialEntry(
        id=name,
        role=role,
        method=config.method.name,
        seed=config.seed,
        learning_rate=rate,
        steps=config.training.steps,
        defect=defect,
        fair=fair,
    )


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of trials by id, beside one of the base's samples; studies may share it."""

    folder: Path

    def trial(self, config: TrialConfig, defect: str | None = None) -> Path:
        """Return where a trial's run lies, or will; one with a defect has a place of its own."""
        return self.folder / trial_id(config, defect)

    def search_trial(self, config: TrialConfig, search: Section) -> Path:
        """Return where a search's trial lies, or will.

        It is paused and scored as its search says: another search, or a ranking, has its own.
        """
        return self.folder / "search" / f"{trial_id(config)}-{digest(search.model_dump(), 6)}"

    def name_of(self, folder: Path) -> str:
        """Return a trial's path below the store."""
        return folder.relative_to(self.folder).as_posix()

    def start(self, config: TrialConfig, folder: Path, defect: str | None = None) -> None:
        """Create the run of a trial in its folder; one that is there is executed as now wanted."""
        # Starting loads torch, of which a study's status needs nothing.
        from verirank.trial._start import start_trial

        if (folder / "manifest.json").is_file():
            with suppress(DamagedError):  # which the trial itself will say
                execute_as(Run.open(folder), config)
            return
        try:
            start_trial(config, folder, defect)
        except InputError:
            # Another study that shares the store may have been quicker.
            if not (folder / "manifest.json").is_file():
                raise

    def base_samples(self, config: TrialConfig) -> Path:
        """Return where the base's samples lie that a trial's scores are compared with."""
        settings = config.model_dump(
            mode="json", include={"model", "task", "evaluation", "verifier", "sampling"}
        )
        sampling = settings["sampling"]
        settings["sampling"] = [
            sampling[name] for name in ("sampler", "max_new_tokens", "temperature")
        ]
        return self.folder / "base" / digest(settings, _DIGITS)

    def expect_base(self, config: TrialConfig, fingerprint: str) -> None:
        """Remember which weights a model's trials start from, or hold them against these.

        Raises:
            OtherInputsError: the store was begun with other weights of the same name.
        """
        self._expect("weights", config.model, fingerprint)

    def expect_problems(self, config: TrialConfig, fingerprint: str | None) -> None:
        """Remember which problems a task's trials have, or hold them against these.

        Raises:
            OtherInputsError: the store was begun with other problems of the same name.
        """
        if fingerprint is not None:
            self._expect("problems", config.task, fingerprint)

    def _expect(self, what: str, named: ModelConfig | TaskConfig, fingerprint: str) -> None:
        file = self.folder / "base" / f"{digest(named.model_dump(mode='json'), _DIGITS)}.json"
        if file.is_file() and read_json(file)["sha256"] != fingerprint:
            raise OtherInputsError(f"{self.folder} was begun with other {what} of {named.name!r}")
        write_json(file, {"name": named.name, "sha256": fingerprint})
