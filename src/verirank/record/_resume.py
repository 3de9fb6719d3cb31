"""What happens to the record of a run that goes on: checked, rewound, executed as is wanted now."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from verirank.config import InputError, TrialConfig, resolve, to_toml
from verirank.record._completions import steps_in
from verirank.record._files import read_trial, write_file
from verirank.record._integrity import DamagedError, expect_sums
from verirank.record._run import Run, settings_sha256

_LOG = logging.getLogger(__name__)


def _as_it_stands(run: Run) -> TrialConfig:
    """Return the settings of trial.toml, whatever was taken out of it."""
    try:
        return resolve(read_trial(run.folder / "trial.toml"))
    except (OSError, ValueError):
        return run.config  # which tells what is wrong with the file


def expect_unedited(run: Run) -> None:
    """Refuse settings that were edited since the run began; how it is executed may change.

    Raises:
        InputError: trial.toml describes another trial.
    """
    begun_with = run.manifest.get("settings_sha256")
    if begun_with != settings_sha256(_as_it_stands(run)):
        raise InputError(
            f"{run.folder / 'trial.toml'} was edited since the run began, so it describes "
            "another trial; restore it, or begin a new run with the changed settings"
        )


def execute_as(run: Run, config: TrialConfig) -> None:
    """Take over a configuration's execution settings for what is still to be done.

    Raises:
        InputError: its other settings are not the run's.
    """
    begun_with = run.config.identity()
    differing = [name for name, value in config.identity().items() if begun_with[name] != value]
    if differing:
        raise InputError(
            f"{run.folder} holds a run with other settings of {', '.join(differing)}; choose "
            "another folder"
        )
    changed = run.config.executed_as(config)
    if changed != run.config and run.status != "done":
        write_file(run.folder / "trial.toml", to_toml(changed))
        del run.settings, run.config


def newest_checkpoint(run: Run) -> Path | None:
    """Return the newest checkpoint whose files are whole, or None where there is none.

    A damaged one is set aside under another name, which is said in one line on stderr.
    """
    for checkpoint in reversed(run.checkpoints()):
        try:
            expect_sums(checkpoint)
            return checkpoint
        except DamagedError as error:
            aside = checkpoint.with_name(f"damaged-{checkpoint.name}")
            shutil.rmtree(aside, ignore_errors=True)
            checkpoint.rename(aside)
            _LOG.warning("%s; it is set aside as %s", error, aside.name)
    return None


def rewind(run: Run, step: int) -> None:
    """Drop what is recorded of steps after `step`, which will be taken again."""
    _replace_metrics(run, [line for line in run.metrics() if line["step"] <= step])
    for path in (run.folder / "rollouts").glob("step*.parquet"):
        if path.stem.startswith("step-") or steps_in(path)[-1] > step:
            path.unlink()


def complete_metrics(run: Run, scores: Mapping[str, float | int | None]) -> None:
    """Add scores to the last step's line of metrics.jsonl."""
    *before, last = run.metrics()
    _replace_metrics(run, [*before, last | dict(scores)])


def _replace_metrics(run: Run, lines: Sequence[Mapping[str, Any]]) -> None:
    text = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines)
    write_file(run.folder / "metrics.jsonl", text)
