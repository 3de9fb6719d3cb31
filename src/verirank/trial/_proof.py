"""No run starts unproven: conformance checks, remembered per method, model and package versions."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from verirank.config import MethodConfig, ModelConfig, RunFailedError, load_plugin
from verirank.methods import StandIn, check_methods
from verirank.models import BaseModel
from verirank.record import cache_folder, hold, package_versions, write_json
from verirank.trial._identity import digest


class MethodUnprovenError(RunFailedError):
    """A method failed a conformance check on the model that it was to be trained on."""

    failure_kind = "unproven"


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
    file = _proof_file(config, base)

    def checked() -> dict[str, Any]:
        (report,) = check_methods([config], model, stand_in=stand_in, on_check=on_progress)
        if not report.passed:
            failed = "; ".join(f"{c.name}: {c.detail}" for c in report.checks if not c.passed)
            raise MethodUnprovenError(f"{report.method} is not what it says: {failed}")
        return {"proven": datetime.now(UTC).isoformat(timespec="seconds"), **asdict(report)}

    if not _is_writable(file.parent):
        return _remembered(file) or checked()
    # Trials of one method begin together: one of them proves it for all.
    lock, otherwise = file.with_suffix(".lock"), "another trial proves the method"
    with hold(lock, otherwise, math.inf, on_progress):
        proof = _remembered(file)
        if proof is None:
            proof = checked()
            write_json(file, proof)
        return proof


def _remembered(file: Path) -> dict[str, Any] | None:
    """Return a proof from its file; None where there is none, or the file is damaged."""
    try:
        proof = json.loads(file.read_text("utf-8"))
        whole = proof["passed"] is True and len(proof["checks"]) > 0
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return proof if whole else None


def _is_writable(folder: Path) -> bool:
    """Return whether a folder is there or can be made, and takes files."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _proof_file(config: MethodConfig, base: BaseModel) -> Path:
    settings = config.model_dump(mode="json", exclude={"learning_rate"})
    key = {
        "method": settings,
        "source": _source_of(config),
        "shape": asdict(base.shape),
        "dtype": str(base.dtype),
        "architecture": base.model.config.model_type,
    }
    return _folder() / f"{config.name}-{digest(key, 24)}.json"


def _folder() -> Path:
    """Return the folder of proofs of this code with these package versions."""
    key = {"packages": package_versions(), "source": _source_digest()}
    return cache_folder() / "conformance" / digest(key, 24)


def _source_of(config: MethodConfig) -> str:
    """Return the SHA-256 of the file that defines a method, which may be an installed package's."""
    file = inspect.getsourcefile(load_plugin("method", config.name))
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else "unknown"


@cache
def _source_digest() -> str:
    """Return a digest of the source that a proof is about: an edited method is proven anew."""
    import verirank.kernels
    import verirank.methods

    source = hashlib.sha256()
    for room in (verirank.kernels, verirank.methods):
        for file in sorted(Path(room.__file__ or "").parent.rglob("*.py")):
            source.update(file.read_bytes())
    return source.hexdigest()
