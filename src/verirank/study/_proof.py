"""No run starts unproven: conformance checks, remembered per method, model and package versions."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from verirank.config import MethodConfig, ModelConfig, RunFailedError, cache_folder
from verirank.methods import StandIn, check_methods
from verirank.models import BaseModel
from verirank.record import hold, write_json
from verirank.study._digest import digest

_PACKAGES = ("verirank", "torch", "transformers", "peft")


class MethodUnprovenError(RunFailedError):
    """A method failed a conformance check on the model that it was to be trained on."""


def is_remembered(config: MethodConfig) -> bool:
    """Return whether this code has proven a method before, whatever the settings and the model.

    For those who prepare for a proof: asked without a base, and in no time.
    """
    return next(_folder().glob(f"{config.name}-*.json"), None) is not None


def prove(
    config: MethodConfig,
    model: ModelConfig,
    base: BaseModel,
    stand_in: StandIn | None = None,
    on_progress: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Return the conformance report of a method on a model, checking it unless it is remembered.

    Args:
        config: the method and its settings.
        model: how the base was loaded.
        base: the base itself, whose shape the proof holds for.
        stand_in: the fresh process that loads what was saved, if it was made already.
        on_progress: is called before every check, and while another process has the proof at hand.

    Returns:
        {proven, method, passed, checks: [{name, passed, detail}]}, where `proven` is when.

    Raises:
        MethodUnprovenError: a check failed; the message names it.
        LostProcessError: the fresh process was killed, or failed by itself.
    """
    place = _place(config, base)
    place.parent.mkdir(parents=True, exist_ok=True)
    # Trials of one method begin together: one of them proves it for all.
    lock, otherwise = place.with_suffix(".lock"), "another trial proves the method"
    with hold(lock, otherwise, math.inf, on_progress):
        if not place.is_file():
            (report,) = check_methods([config], model, stand_in=stand_in, on_check=on_progress)
            if not report.passed:
                failed = "; ".join(f"{c.name}: {c.detail}" for c in report.checks if not c.passed)
                raise MethodUnprovenError(f"{report.method} is not what it says: {failed}")
            now = datetime.now(UTC).isoformat(timespec="seconds")
            write_json(place, {"proven": now, **asdict(report)})
    return json.loads(place.read_text("utf-8"))


def _place(config: MethodConfig, base: BaseModel) -> Path:
    settings = config.model_dump(mode="json", exclude={"learning_rate"})
    key = {
        "method": settings,
        "shape": asdict(base.shape),
        "dtype": str(base.dtype),
        "architecture": base.model.config.model_type,
    }
    return _folder() / f"{config.name}-{digest(key, 24)}.json"


def _folder() -> Path:
    """Return where the proofs of this code under these package versions lie."""
    packages = {name: version(name) for name in _PACKAGES}
    key = {"packages": packages, "source": _source_digest()}
    return cache_folder() / "conformance" / digest(key, 24)


@cache
def _source_digest() -> str:
    """Return a digest of the methods' source: an edited method has to be proven anew."""
    import verirank.methods

    source = hashlib.sha256()
    for file in sorted(Path(verirank.methods.__file__ or "").parent.rglob("*.py")):
        source.update(file.read_bytes())
    return source.hexdigest()
