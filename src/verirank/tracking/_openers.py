"""How each tracker is opened so that a run that goes on finds its former record there."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = "verirank"
"""What runs are filed under, unless a tracker's own environment variable says otherwise."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a tracker is opened with.

    `identity` is what the tracker knew the run by when it was opened before; None the first time.
    `next_step` is the first step that is still to be told. `settings` are the trial's, by dotted
    key.
    """

    folder: Path
    identity: str | None
    next_step: int
    settings: dict[str, Any]
    proposed: str


def _tensorboard(opening: Opening) -> tuple[Any, str]:
    """Write event files into the run's folder."""
    from accelerate.tracking import TensorBoardTracker

    # What was told of steps that are taken again is dropped.
    tracker = TensorBoardTracker(
        "tensorboard", opening.folder / "trackers", purge_step=opening.next_step
    )
    tracker.start()
    if opening.identity is None:
        rows = "".join(f"    {key} = {value}\n" for key, value in opening.settings.items())
        tracker.log({"trial": rows}, step=0)
    return tracker, "tensorboard"


def _wandb(opening: Opening) -> tuple[Any, str]:
    """Write into the run's folder without a network, unless WANDB_MODE asks for another mode."""
    import wandb
    from accelerate.tracking import WandBTracker

    mode = os.environ.get("WANDB_MODE", "offline")
    identity = opening.identity or opening.proposed
    folder = opening.folder / "trackers"
    folder.mkdir(exist_ok=True)
    # A run's own settings do not silence what wandb says of the process, such as that it found
    # openai's package, which vLLM imports.
    wandb.setup(wandb.Settings(silent=True))
    tracker = WandBTracker(
        os.environ.get("WANDB_PROJECT", PROJECT),
        mode=mode,
        dir=str(folder),
        id=identity,
        name=opening.folder.name,
        config=opening.settings,
        # Offline there is nothing to go on with but the id, by which `wandb sync` joins the parts.
        resume=None if mode == "offline" else "allow",
        settings=wandb.Settings(console="off"),
    )
    tracker.start()
    return tracker, identity


def _trackio(opening: Opening) -> tuple[Any, str]:
    """Write into trackio's own folder, TRACKIO_DIR."""
    from accelerate.tracking import TrackioTracker

    identity = opening.identity or f"{opening.folder.name}-{opening.proposed}"
    tracker = TrackioTracker(
        PROJECT,
        name=identity,
        resume="allow",
        config=opening.settings,
        auto_log_gpu=False,
        auto_log_cpu=False,
    )
    tracker.start()
    return tracker, identity


def _mlflow(opening: Opening) -> tuple[Any, str]:
    """Write where MLflow writes: MLFLOW_TRACKING_URI, or a database in the working folder."""
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    from accelerate.tracking import MLflowTracker

    tracker = MLflowTracker(PROJECT, run_id=opening.identity, run_name=opening.folder.name)
    tracker.start()
    if opening.identity is None:
        tracker.store_init_configuration(opening.settings)
    return tracker, tracker.tracker.info.run_id


OPENERS: dict[str, Callable[[Opening], tuple[Any, str]]] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
    "trackio": _trackio,
    "mlflow": _mlflow,
}
"""By name, which is also the module's: opens a tracker, and returns what it knows the run by."""


def finish(name: str, tracker: Any) -> None:
    """Let a tracker write what it still holds."""
    if name == "trackio":
        # Its own, after which it does not finish the run once more when the process ends.
        import trackio

        trackio.finish()
    else:
        tracker.finish()
