"""Runs as they lie on disk: found anywhere below a folder, and read."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from verirank.config import InputError


@dataclass(frozen=True)
class Run:
    """One run folder: its manifest, its resolved settings, and what it left of each step."""

    folder: Path
    manifest: dict[str, Any]
    settings: dict[str, Any]

    @property
    def method(self) -> str:
        """The name of the method that the run trained."""
        return str(self.manifest["method"])

    @property
    def seed(self) -> int:
        """The seed of the trial."""
        return int(self.manifest["seed"])

    @property
    def status(self) -> str:
        """What the run says of itself: done, running, stopped or failed."""
        return str(self.manifest.get("status", "unknown"))

    @property
    def failed_checks(self) -> tuple[str, ...]:
        """Names of the conformance checks that failed."""
        proof = self.manifest.get("conformance") or {}
        failed = tuple(str(c["name"]) for c in proof.get("checks", ()) if not c["passed"])
        return failed or (() if proof.get("passed", True) else ("unnamed",))

    @cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl; a last line cut off by a crash is left out."""
        file = self.folder / "metrics.jsonl"
        text = file.read_text("utf-8") if file.is_file() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    @property
    def benches(self) -> tuple[str, ...]:
        """Names of the benches with samples on disk, in the order of the trial's settings."""
        there = {file.stem for file in (self.folder / "eval").glob("*.parquet")}
        asked = [b for b in self.settings.get("evaluation", {}).get("benches", ()) if b in there]
        return (*asked, *sorted(there.difference(asked)))

    def samples(self, bench: str, columns: list[str] | None = None) -> pa.Table:
        """Return the evaluation samples of one bench, a row a sample."""
        return pq.read_table(self.folder / "eval" / f"{bench}.parquet", columns=columns)


def find_runs(folders: Iterable[Path]) -> list[Run]:
    """Return every run at or anywhere below the folders, in the order of their paths.

    Raises:
        InputError: a folder is missing, a run's files cannot be read, or there is no run at all.
    """
    folders = [Path(folder) for folder in folders]
    manifests = sorted({file.resolve() for folder in folders for file in _manifests(folder)})
    if not manifests:
        places = ", ".join(str(folder) for folder in folders)
        raise InputError(f"no run (a folder with manifest.json) in {places}; train one first")
    return [_read(file.parent) for file in manifests]


def _manifests(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise InputError(f"folder {str(folder)!r} does not exist")
    return folder.rglob("manifest.json")


def _read(folder: Path) -> Run:
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        settings = tomllib.loads((folder / "trial.toml").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the run in {folder}: {error}") from error
    missing = [key for key in ("method", "seed") if key not in manifest]
    if missing:
        raise InputError(f"{folder / 'manifest.json'} lacks {', '.join(missing)}")
    return Run(folder, manifest, settings)
