"""The record of a trial on disk: what ran, what it did, and whether it is whole."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from verirank.config import InputError, TrialConfig, resolve, to_toml
from verirank.record._files import (
    PARTIAL,
    read_json,
    read_trial,
    to_disk,
    whole_folder,
    write_file,
    write_json,
)
from verirank.record._integrity import DamagedError
from verirank.record._locks import LOOK_SECONDS, hold, is_held
from verirank.record._machine import package_versions, processor, source_revision
from verirank.record._step_seconds import step_seconds, total_wait
from verirank.record._training_warnings import training_warnings
from verirank.record._trial_list import read_trial_list

LOCK = ".lock"
"""Held while a process writes to the run; the system lets go of it even after kill -9."""
_OF_EVERY_TRIAL = {"seed", "method", "sampling", "training", "evaluation"}


class Run:
    """A run's folder, laid out as docs/architecture.md says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._manifest_file = os.path.join(folder, "manifest.json")
        self._manifest: tuple[Any, dict[str, Any]] = (None, {})

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}: {self.method}, seed {self.seed}, {self.status})"

    @classmethod
    def create(cls, folder: Path, config: TrialConfig, defect: str | None = None) -> Run:
        """Start a run in a folder that does not exist or is empty.

        Args:
            folder: its new folder.
            config: what it is.
            defect: what is wrong with it on purpose, beyond what settings can tell.

        Raises:
            InputError: the folder holds another run, or anything else, or another process is at it.
        """
        folder = folder.resolve() if folder.is_symlink() else folder
        cls.expect_free(folder)
        if _never_took_a_step(folder):
            # Another process may be about to go on with it, or have begun it anew meanwhile.
            with suppress(FileNotFoundError), cls(folder).locked():
                if _never_took_a_step(folder):
                    shutil.rmtree(folder)
        try:
            cls._begin(folder, config, defect)
        except FileExistsError:
            raise InputError(f"another process has just begun a run in {folder}") from None
        return cls(folder)

    @classmethod
    def _begin(cls, folder: Path, config: TrialConfig, defect: str | None) -> None:
        with whole_folder(folder, new=True) as scratch:
            cls(scratch).update_manifest(
                status="running",
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                model=config.model.name,
                dtype=config.model.dtype,
                adapter=config.model.adapter,
                start=config.method.start,
                task=config.task.name,
                template=config.task.model_dump().get("template"),
                method=config.method.name,
                algorithm=config.algorithm.name,
                seed=config.seed,
                defect=defect,
                control=config.control,
                sampler=config.sampling.sampler,
                settings_sha256=settings_sha256(config),
                packages=package_versions(),
                git=source_revision() or "unknown",
                machine={"platform": platform.platform(), "processor": processor()},
            )
            write_file(scratch / "trial.toml", to_toml(config))

    @staticmethod
    def expect_free(folder: Path) -> None:
        """Refuse a folder that no run can be started in.

        Raises:
            InputError: the folder holds another run, or anything else.
        """
        if _never_took_a_step(folder) or not folder.exists():
            return
        if (folder / "manifest.json").is_file():
            raise InputError(
                f"output folder {folder} holds a run already; choose another, or go on with it: "
                f"--resume {folder}"
            )
        if not folder.is_dir() or any(folder.iterdir()):
            raise InputError(f"output folder {folder} holds something else; choose another")

    @classmethod
    def open(cls, folder: Path) -> Run:
        """Open an existing run.

        Raises:
            InputError: the folder holds no run.
            DamagedError: its files cannot be read.
        """
        run = cls(folder)
        try:
            manifest = run.manifest
        except (OSError, DamagedError) as error:
            raise DamagedError(f"cannot read the run in {folder}: {error}") from error
        if not manifest:
            cls._refuse(folder)
        if not os.path.isfile(os.path.join(folder, "trial.toml")):
            raise DamagedError(f"the run in {folder} lacks trial.toml")
        return run

    @staticmethod
    def _refuse(folder: Path) -> NoReturn:
        """Say what a folder without a manifest is instead of a run."""
        if not folder.exists():
            raise InputError(f"there is no run {folder}: it does not exist")
        listed = read_trial_list(folder)
        if listed and listed.entries:
            first = listed.folder(listed.entries[0])
            raise InputError(f"{folder} is a study, not a run; one of its runs is {first}")
        raise InputError(f"{folder} holds no run (no manifest.json and trial.toml)")

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The resolved settings as they stand in trial.toml.

        Raises:
            DamagedError: the file cannot be read.
        """
        try:
            settings = read_trial(self.folder / "trial.toml")
        except (OSError, ValueError) as error:
            raise DamagedError(f"cannot read the run in {self.folder}: {error}") from error
        if lacking := sorted(_OF_EVERY_TRIAL - settings.keys()):
            raise DamagedError(f"the run in {self.folder} lacks {', '.join(lacking)} in trial.toml")
        return settings

    @cached_property
    def config(self) -> TrialConfig:
        """The resolved configuration that the run was started with."""
        return resolve(self.settings)

    @property
    def manifest(self) -> dict[str, Any]:
        """What is known of the run so far; the file is read again only once it was replaced.

        Raises:
            DamagedError: the file is no JSON object, or lacks method or seed.
        """
        try:
            now = os.stat(self._manifest_file)
        except FileNotFoundError:
            return {}
        stamp = (now.st_ino, now.st_mtime_ns, now.st_size)
        if self._manifest[0] != stamp:
            self._manifest = (stamp, _with_identity(self._json("manifest.json"), self.folder))
        return self._manifest[1]

    def _json(self, name: str) -> dict[str, Any]:
        """Return the object in one of the run's JSON files."""
        file = self.folder / name
        try:
            content = read_json(file)
        except InputError as error:
            raise DamagedError(str(error)) from None
        if not isinstance(content, dict):
            raise DamagedError(f"cannot read {file}: it is no JSON object")
        return content

    def update_manifest(self, **entries: Any) -> None:
        """Set entries of the manifest, replacing the file in one move; None takes one away."""
        merged = self.manifest | entries
        kept = {key: value for key, value in merged.items() if value is not None}
        write_json(self.folder / "manifest.json", kept)

    @cached_property
    def method(self) -> str:
        """The name of the method that the run trains."""
        return str(self.manifest["method"])

    @cached_property
    def seed(self) -> int:
        """The seed of the trial."""
        return int(self.manifest["seed"])

    @property
    def status(self) -> str:
        """What the run says of itself: running, paused, done, stopped or failed."""
        return str(self.manifest.get("status", "unknown"))

    @property
    def defect(self) -> str | None:
        """What is wrong with the run on purpose; such a run is measured, never ranked."""
        return self.manifest.get("defect")

    @property
    def control(self) -> str | None:
        """What the run was taught instead of right answers; a control is never ranked."""
        return self.manifest.get("control")

    @property
    def failed_checks(self) -> tuple[str, ...]:
        """Names of the conformance checks that failed."""
        proof = self.manifest.get("conformance") or {}
        failed = tuple(str(c["name"]) for c in proof.get("checks", ()) if not c["passed"])
        return failed or (() if proof.get("passed", True) else ("unnamed",))

    @property
    def scores(self) -> dict[str, dict[str, Any]]:
        """Every bench's scores before and after training, from eval.json; empty until then."""
        return self._json("eval.json") if (self.folder / "eval.json").is_file() else {}

    @property
    def retention(self) -> dict[str, Any]:
        """The losses on held-out text and the KL from the base, from retention.json, if there."""
        return self._json("retention.json") if (self.folder / "retention.json").is_file() else {}

    @property
    def selection(self) -> dict[str, dict[str, Any]]:
        """A search's scores by the number of steps taken, from selection.json."""
        return self._json("selection.json") if (self.folder / "selection.json").is_file() else {}

    def last_lines(self, n: int = 5) -> list[str]:
        """Return the last lines of log.txt, which a study's worker writes."""
        path = self.folder / "log.txt"
        return path.read_text("utf-8", "replace").splitlines()[-n:] if path.is_file() else []

    def expect_base(self, fingerprint: str) -> None:
        """Remember the base's SHA-256, or hold it against the one that the run began with.

        Raises:
            InputError: the base is another one.
        """
        begun_with = self.manifest.get("base_sha256")
        if begun_with not in (None, fingerprint):
            raise InputError(
                f"{self.folder} was trained from other weights of {self.manifest['model']!r} "
                f"(SHA-256 {begun_with[:12]}) than are there now ({fingerprint[:12]})"
            )
        self.update_manifest(base_sha256=fingerprint)

    def expect_problems(self, fingerprint: str | None) -> None:
        """Remember the SHA-256 of the task's problems, or hold it against that of the beginning.

        Raises:
            InputError: the problems are others.
        """
        begun_with = self.manifest.get("problems_sha256", fingerprint)
        if begun_with != fingerprint:
            raise InputError(
                f"{self.folder} was trained on other problems of {self.manifest['task']!r} than "
                "are there now; bring them back, or begin a new run"
            )
        self.update_manifest(problems_sha256=fingerprint)

    @property
    def checkpoint_folder(self) -> Path:
        """Where checkpoints are kept."""
        return self.folder / "checkpoints"

    def checkpoints(self) -> list[Path]:
        """Return the checkpoints, oldest first; one that was set aside is none."""
        return sorted(
            self.checkpoint_folder.glob("step-*"),
            key=lambda path: int(path.name.removeprefix("step-")),
        )

    def append_metrics(self, metrics: Mapping[str, float | int | None]) -> None:
        """Add a step's line to metrics.jsonl."""
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics, allow_nan=False) + "\n")

    def keep_metrics(self) -> None:
        """Wait until all lines of metrics.jsonl would outlast a loss of power."""
        to_disk(self.folder / "metrics.jsonl")

    def metrics(self) -> list[dict[str, Any]]:
        """Return the lines of metrics.jsonl; a last line cut off by a crash is left out.

        Raises:
            DamagedError: another line cannot be read.
        """
        file = self.folder / "metrics.jsonl"
        text = file.read_text("utf-8") if file.is_file() else ""
        try:
            return [json.loads(line) for line in text.splitlines(True) if line.endswith("\n")]
        except ValueError as error:
            raise DamagedError(f"cannot read {file}: {error}") from None

    @property
    def start_seconds(self) -> float:
        """The seconds of the data that the method started from; 0 where there are none."""
        return self.manifest.get("start_data", {}).get("seconds", 0.0)

    def totals(self) -> dict[str, Any]:
        """Return what start and steps come to, for the manifest: costs, and what went wrong."""
        lines = self.metrics()
        return {
            "seconds": self.start_seconds + sum(map(step_seconds, lines)),
            "seconds_waited": total_wait(lines),
            "peak_memory_bytes": max((line["peak_memory_bytes"] for line in lines), default=0),
            "unverified": sum(line.get("unverified", 0) for line in lines),
            "warnings": [asdict(warning) for warning in training_warnings(lines)],
        }

    @property
    def benches(self) -> tuple[str, ...]:
        """Names of the benches with samples on disk, in the order of the trial's settings."""
        there = {file.stem for file in (self.folder / "eval").glob("*.parquet")}
        asked = [b for b in self.settings.get("evaluation", {}).get("benches", ()) if b in there]
        return (*asked, *sorted(there.difference(asked)))

    def bench_file(self, bench: str) -> Path:
        """Return the file with the samples of a bench, a row a sample."""
        return self.folder / "eval" / f"{bench}.parquet"

    def selection_file(self, steps: int) -> Path:
        """Return the file with the samples that a search took after so many steps."""
        return self.folder / "selection" / f"step-{steps}.parquet"

    def during_file(self, step: int) -> Path:
        """Return the file with the samples that were scored during training, after a step."""
        return self.folder / "during" / f"step-{step}.parquet"

    def sweep(self) -> None:
        """Remove what a killed process left half written."""
        for scratch in [*self.folder.glob(f".*{PARTIAL}"), *self.folder.glob(f"*/.*{PARTIAL}")]:
            if scratch.is_dir():
                shutil.rmtree(scratch)
            else:
                scratch.unlink()

    @contextmanager
    def locked(self, patience: float = LOOK_SECONDS) -> Iterator[None]:
        """Keep every other process from writing to this run, for as long as the block lasts.

        Args:
            patience: seconds to wait for another process to let go of it.

        Raises:
            InputError: another process is at it.
        """
        otherwise = f"{self.folder} is being written by another process"
        with hold(self.folder / LOCK, otherwise, patience):
            yield

    @property
    def is_being_written(self) -> bool:
        """Whether a process on this machine is at the run now."""
        return is_held(self.folder / LOCK)


def settings_sha256(config: TrialConfig) -> str:
    """Return the SHA-256 of all settings that decide what is trained."""
    return hashlib.sha256(json.dumps(config.identity(), sort_keys=True).encode()).hexdigest()


def _with_identity(manifest: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a manifest that says which trial the run is of."""
    if missing := [key for key in ("method", "seed") if key not in manifest]:
        raise DamagedError(f"{folder / 'manifest.json'} lacks {', '.join(missing)}")
    return manifest


def _never_took_a_step(folder: Path) -> bool:
    """Return whether a run ended before its first step, and so holds nothing worth keeping."""
    run = Run(folder)
    try:
        return run.manifest.get("status") in ("failed", "stopped") and not run.metrics()
    except DamagedError:
        return False
