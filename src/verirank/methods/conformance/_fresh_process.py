"""What another process makes of a saved policy: the one thing that memory cannot hide."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from verirank.config import ModelConfig
from verirank.methods._policy import Policy
from verirank.methods._storage import load_policy
from verirank.models import BaseModel, load_base


@torch.no_grad()
def digest(policy: Policy) -> str:
    """Return the SHA-256 of every published weight, and of the adapted model's own logits.

    The logits see what publishing does not, such as the residual that training goes on from.
    """
    sha = hashlib.sha256()
    for name, weight in sorted(policy.effective_weights()):
        sha.update(name.encode())
        sha.update(weight.contiguous().cpu().numpy().tobytes())
    tokens_NT = torch.arange(min(16, policy.base.shape.vocabulary)).unsqueeze(0)
    sha.update(policy.model(input_ids=tokens_NT).logits.cpu().numpy().tobytes())
    return sha.hexdigest()


@dataclass(frozen=True, slots=True)
class _StandIn:
    """A process that was forked while there were only libraries, and has not been asked yet."""

    process: BaseProcess
    connection: Connection


_standing_by: list[_StandIn] = []


def stand_by() -> None:
    """Fork a process that `digests_elsewhere` will ask, while this one has only its libraries.

    It is as fresh as a new one and need not load them, which takes seconds. To be called before
    this process has threads, a base or a policy; what is forked ends with it at the latest.
    """
    fork = get_context("fork")
    here, there = fork.Pipe()
    process = fork.Process(target=_answer, args=(here, there), daemon=True)
    process.start()
    there.close()
    _standing_by.append(_StandIn(process, here))


def _answer(here: Connection, there: Connection) -> None:
    here.close()  # so that the process that asks has the only other end, and its death is seen
    with suppress(EOFError, ConnectionError):  # nothing was to be proven
        there.send(_digests(there.recv()))


def digests_elsewhere(model: ModelConfig, folders: Sequence[Path]) -> list[str]:
    """Load every saved policy in one fresh process: the one standing by, or else a new one.

    Args:
        model: the base.
        folders: where `save_policy` wrote.

    Returns:
        A digest each, or the error that kept it from loading.

    Raises:
        ChildProcessError: the process was killed, which says nothing about the policies.
    """
    request = {
        "model": model.model_dump(mode="json"),
        "folders": [str(folder) for folder in folders],
        # Matrix products are the same to the bit on the same number of threads only.
        "threads": torch.get_num_threads(),
    }
    found, code, said = _asked(_standing_by.pop(), request) if _standing_by else _run(request)
    if code < 0:
        raise ChildProcessError(f"the process that was to load what was saved got signal {-code}")
    return found or [f"the process failed: {said}"] * len(folders)


def _asked(stand_in: _StandIn, request: dict[str, Any]) -> tuple[list[str], int, str]:
    """Return what the process standing by found, its exit code and its last words."""
    found: list[str] = []
    with stand_in.connection, suppress(EOFError, ConnectionError):
        stand_in.connection.send(request)
        found = stand_in.connection.recv()
    stand_in.process.join()
    return found, stand_in.process.exitcode or 0, "see the log"


def _run(request: dict[str, Any]) -> tuple[list[str], int, str]:
    """Return what a new process found, its exit code and its last words."""
    done = subprocess.run(
        [sys.executable, "-m", __name__], input=json.dumps(request), capture_output=True, text=True
    )
    found = [] if done.returncode else json.loads(done.stdout.splitlines()[-1])
    return found, done.returncode, "".join(done.stderr.strip().splitlines()[-1:])


def _digests(request: dict[str, Any]) -> list[str]:
    torch.set_num_threads(request["threads"])
    base = load_base(ModelConfig.model_validate(request["model"]))
    return [_digest_of(base, Path(folder)) for folder in request["folders"]]


def _digest_of(base: BaseModel, folder: Path) -> str:
    try:
        return digest(load_policy(base, folder))
    except Exception as error:  # becomes the finding of this policy's check
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    print(json.dumps(_digests(json.load(sys.stdin))))
