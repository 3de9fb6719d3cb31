"""The record of a trial on disk: what ran, what it did, and whether it is whole."""

from __future__ import annotations

import fcntl
import json
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from verirank.algorithms import Group
from verirank.config import InputError, TrialConfig, read_settings, resolve, to_toml
from verirank.training._checkpoint import checkpoints
from verirank.training._files import write_json, write_text

LOCK = ".lock"
"""Held while a process writes to the run; the system lets go of it even after kill -9."""
Status = Literal["running", "done", "stopped", "failed"]
_PACKAGES = ("verirank", "torch", "transformers", "peft", "math-verify", "numpy")
_SECONDS = ("seconds_sample", "seconds_verify", "seconds_train", "seconds_publish")


class Run:
    """A run's folder, laid out as docs/architecture.md says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, folder: Path, config: TrialConfig) -> Run:
        """Start a run in a folder that does not exist or is empty.

        Raises:
            InputError: the folder holds another run, or anything else.
        """
        if _never_took_a_step(folder):
            shutil.rmtree(folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            what = "a run already" if (folder / "manifest.json").is_file() else "something else"
            raise InputError(
                f"output folder {folder} holds {what}; choose another, or use --resume {folder}"
            )
        folder.mkdir(parents=True, exist_ok=True)
        run = cls(folder)
        run.update_manifest(
            status="running",
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            model=config.model.name,
            task=config.task.name,
            method=config.method.name,
            algorithm=config.algorithm.name,
            seed=config.seed,
            packages={name: _version(name) for name in _PACKAGES},
            git=_git_revision() or "unknown",
            machine={"platform": platform.platform(), "processor": _processor()},
            threads=torch.get_num_threads(),
        )
        write_text(folder / "trial.toml", to_toml(config))
        return run

    @classmethod
    def open(cls, folder: Path) -> Run:
        """Open an existing run.

        Raises:
            InputError: the folder holds no run.
        """
        if not (folder / "manifest.json").is_file() or not (folder / "trial.toml").is_file():
            raise InputError(f"{folder} holds no run (no manifest.json and trial.toml)")
        return cls(folder)

    @property
    def config(self) -> TrialConfig:
        """The resolved configuration that the run was started with."""
        return resolve(read_settings(str(self.folder / "trial.toml")))

    @property
    def manifest(self) -> dict[str, Any]:
        """What is known of the run so far."""
        path = self.folder / "manifest.json"
        return json.loads(path.read_text("utf-8")) if path.is_file() else {}

    def update_manifest(self, **entries: Any) -> None:
        """Set entries of the manifest, replacing the file in one move; None takes one away."""
        merged = self.manifest | entries
        kept = {key: value for key, value in merged.items() if value is not None}
        write_json(self.folder / "manifest.json", kept)

    @property
    def checkpoint_folder(self) -> Path:
        """Where checkpoints are kept."""
        return self.folder / "checkpoints"

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

    def latest_checkpoint(self) -> Path | None:
        """Return the newest whole checkpoint."""
        return next(reversed(checkpoints(self.checkpoint_folder)), None)

    def append_metrics(self, metrics: Mapping[str, float | int | None]) -> None:
        """Add a step's line to metrics.jsonl."""
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics, allow_nan=False) + "\n")

    def metrics(self) -> list[dict[str, Any]]:
        """Return the whole lines of metrics.jsonl."""
        return list(_whole_lines(self.folder / "metrics.jsonl"))

    def rewind(self, step: int) -> None:
        """Drop what is recorded of steps after `step`, which will be taken again."""
        kept = [line for line in self.metrics() if line["step"] <= step]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        write_text(self.folder / "metrics.jsonl", text)
        for path in (self.folder / "rollouts").glob("steps-*.parquet"):
            if int(path.stem.split("-")[2]) > step:
                path.unlink()

    def sweep(self) -> None:
        """Remove what a killed process left half written."""
        for scratch in [*self.folder.glob(".*"), *self.folder.glob("*/.*")]:
            if scratch.is_dir():
                shutil.rmtree(scratch)
            elif scratch.name != LOCK:
                scratch.unlink()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from writing to this run, for as long as the block lasts.

        Raises:
            InputError: another process is at it.
        """
        with (self.folder / LOCK).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"{self.folder} is being written by another process") from None
            yield

    def totals(self) -> dict[str, float | int]:
        """Return the seconds and the peak memory of all steps, for the manifest."""
        lines = self.metrics()
        return {
            "seconds": sum(line[key] for line in lines for key in _SECONDS),
            "peak_memory_bytes": max((line["peak_memory_bytes"] for line in lines), default=0),
        }

    def write_rollouts(self, first: int, steps: Sequence[Sequence[Group]]) -> None:
        """Write the completions of consecutive steps, the first of which has number `first`."""
        folder = self.folder / "rollouts"
        folder.mkdir(exist_ok=True)
        last = first + len(steps) - 1
        rows = [row for n, groups in enumerate(steps, first) for row in _rollout_rows(n, groups)]
        scratch = folder / f".steps-{first:06d}.partial"
        pq.write_table(pa.Table.from_pylist(rows), scratch)
        scratch.replace(folder / f"steps-{first:06d}-{last:06d}.parquet")


def _never_took_a_step(folder: Path) -> bool:
    """Return whether a run failed before its first step, and so holds nothing worth keeping."""
    run = Run(folder)
    return run.manifest.get("status") == "failed" and not run.metrics()


def _rollout_rows(step: int, groups: Sequence[Group]) -> Iterator[dict[str, Any]]:
    for group in groups:
        for completion, reward in zip(group.completions, group.rewards, strict=True):
            yield {
                "step": step,
                "problem": group.problem.id,
                "completion": completion.text,
                "reward": reward.value,
                "reason": reward.reason,
                "length": len(completion.tokens),
                "truncated": completion.truncated,
                "seed": completion.seed,
            }


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    for line in path.read_text("utf-8").splitlines(keepends=True):
        # A killed run may leave half a line at the end.
        if line.endswith("\n"):
            yield json.loads(line)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def _git_revision() -> str | None:
    """Return the revision of the source that runs, where it runs from a checkout."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
