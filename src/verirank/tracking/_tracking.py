"""The trackers of one run: opened before it trains, told every step, dropped where they fail."""

from __future__ import annotations

import io
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from typing import Any

from verirank.config import InputError, MachineConfig, by_dotted_key
from verirank.processes import on_first
from verirank.record import Run
from verirank.tracking._openers import OPENERS, Opening, finish


class TrackerUnavailableError(InputError, ConnectionError):
    """A tracker cannot be opened now; another attempt may well end otherwise."""


def expect_trackers(config: MachineConfig) -> None:
    """Refuse trackers that are not installed.

    Raises:
        InputError: one is not; the message says how to install it.
    """
    for name in config.trackers:
        if find_spec(name) is None:
            raise InputError(
                f"tracker {name!r} is not installed; run: pip install 'verirank[trackers]', "
                "or make trackers"
            )


@contextmanager
def tracked(run: Run) -> Iterator[Tracking]:
    """Open the trackers that a run's settings name, for as long as the block lasts.

    Of several processes only the first opens any.

    Raises:
        InputError: a tracker is not installed, or (`TrackerUnavailableError`) cannot be opened.
    """
    tracking = Tracking(run)
    try:
        on_first(tracking.open)
        yield tracking
    finally:
        tracking.close()


class Tracking:
    """The open trackers of a run.

    They are told what the run's own files hold, and decide nothing: a tracker that fails while the
    run trains is left out from then on, which is said on stderr and stands in the manifest.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._trackers: dict[str, Any] = {}
        self._last_step = _steps_done(run)

    def open(self) -> None:
        """Open every tracker, under the identity that it knew the run by before, if any.

        Raises:
            InputError: see `tracked`.
        """
        expect_trackers(self._run.config.machine)
        if self._run.config.machine.trackers:
            from accelerate import PartialState

            PartialState()  # Without it, accelerate's trackers fail where they log.
        for name in dict.fromkeys(self._run.config.machine.trackers):
            opening = Opening(
                folder=self._run.folder,
                identity=self._known(name).get("run"),
                next_step=self._last_step + 1,
                settings=by_dotted_key(self._run.settings),
                proposed=uuid.uuid4().hex[:8],
            )
            with redirect_stdout(io.StringIO()):
                try:
                    self._trackers[name], identity = OPENERS[name](opening)
                except Exception as error:
                    raise TrackerUnavailableError(
                        f"tracker {name!r} cannot be opened: {_reason(error)}"
                    ) from error
            self._remember(name, run=identity)

    def step(self, metrics: Mapping[str, float | int | None]) -> None:
        """Tell every number of a step's line of metrics.jsonl; its `step` is the axis."""
        self._last_step = int(metrics["step"] or 0)
        self._tell({k: v for k, v in metrics.items() if k != "step" and v is not None})

    def scores(self, part: str, scores: Mapping[str, Any]) -> None:
        """Tell a bench's scores, numbers by name, under `part/BENCH/NAME`."""
        flat = {f"{part}/{k.replace('.', '/')}": v for k, v in by_dotted_key(scores).items()}
        self._tell({k: v for k, v in flat.items() if isinstance(v, int | float)})

    def close(self) -> None:
        """Let every tracker write what it still holds."""
        for name, tracker in list(self._trackers.items()):
            self._guarded(name, lambda name=name, tracker=tracker: finish(name, tracker))
        self._trackers.clear()

    def _tell(self, numbers: dict[str, float]) -> None:
        for name, tracker in list(self._trackers.items()):
            self._guarded(name, lambda t=tracker: t.log(dict(numbers), step=self._last_step))

    def _guarded(self, name: str, tell: Callable[[], None]) -> None:
        """Tell a tracker something; whatever it raises is its own end, not the run's."""
        try:
            with redirect_stdout(io.StringIO()):
                tell()
        except Exception as error:
            del self._trackers[name]
            why = f"step {self._last_step}: {_reason(error)}"
            self._remember(name, failed=why)
            print(
                f"tracker {name!r} failed and is told no more ({why}); the run goes on, "
                f"and {self._run.folder / 'metrics.jsonl'} holds every step",
                file=sys.stderr,
            )

    def _known(self, name: str) -> dict[str, str]:
        return self._run.manifest.get("trackers", {}).get(name, {})

    def _remember(self, name: str, **entries: str) -> None:
        """Write into the manifest what a tracker knows the run by, or that it failed."""
        known = {"run": self._known(name).get("run", "")} | entries
        self._run.update_manifest(trackers=self._run.manifest.get("trackers", {}) | {name: known})


def _steps_done(run: Run) -> int:
    """Return the step that the run goes on from."""
    checkpoints = run.checkpoints()
    return int(checkpoints[-1].name.removeprefix("step-")) if checkpoints else 0


def _reason(error: Exception) -> str:
    """Return an error's kind and its first line."""
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
