"""What another process makes of a saved policy: the one thing that memory cannot hide."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from verirank.config import ModelConfig, RunFailedError, in_words
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


class LostProcessError(RunFailedError, ChildProcessError):
    """The fresh process was killed or failed by itself, which tells nothing of any method."""


class StandIn:
    """A process forked from one that has only its libraries: as fresh as a new one, at once there.

    Loading the libraries anew takes seconds. To be made before this process has threads, a base or
    a policy. It answers once, and ends with this process at the latest.
    """

    def __init__(self) -> None:
        """Fork it."""
        fork = get_context("fork")
        self._connection, there = fork.Pipe()
        here = self._connection
        self._process = fork.Process(target=_answer, args=(here, there), daemon=True)
        self._process.start()
        there.close()

    def ask(self, request: dict[str, Any]) -> list[str]:
        """Return what it answers to the request; see `digests_elsewhere`."""
        with suppress(EOFError, ConnectionError):
            self._connection.send(request)
            answer = self._connection.recv()
            if isinstance(answer, str):
                raise LostProcessError(f"the fresh process failed: {answer}")
            return answer
        self._process.join()
        raise LostProcessError(f"the fresh process ended with {self._process.exitcode}")

    def close(self) -> None:
        """End it, whether it was asked or not."""
        self._connection.close()
        self._process.join()


def _answer(here: Connection, there: Connection) -> None:
    here.close()  # so that the process that asks has the only other end, and its death is seen
    with suppress(EOFError, ConnectionError):  # nothing was to be proven
        request = there.recv()
        try:
            there.send(_digests(request))
        except Exception as error:  # of the machine or the base: a policy's own is its digest
            there.send(in_words(error))


def digests_elsewhere(
    model: ModelConfig, folders: Sequence[Path], stand_in: StandIn | None = None
) -> list[str]:
    """Load every saved policy in one fresh process: the stand-in, or else a new one.

    Args:
        model: the base.
        folders: where `save_policy` wrote.
        stand_in: has not been asked before.

    Returns:
        A digest each, or the error that kept it from loading.

    Raises:
        LostProcessError: the process itself failed or was killed.
    """
    request = {
        "model": model.model_dump(mode="json"),
        "folders": [str(folder) for folder in folders],
        # Matrix products are the same to the bit on the same number of threads only.
        "threads": torch.get_num_threads(),
    }
    if stand_in is not None:
        return stand_in.ask(request)
    done = subprocess.run(
        [sys.executable, "-m", __name__], input=json.dumps(request), capture_output=True, text=True
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise LostProcessError(f"the fresh process failed: {said[0]}")
    return json.loads(done.stdout.splitlines()[-1])


def _digests(request: dict[str, Any]) -> list[str]:
    torch.set_num_threads(request["threads"])
    base = load_base(ModelConfig.model_validate(request["model"]))
    return [_digest_of(base, Path(folder)) for folder in request["folders"]]


def _digest_of(base: BaseModel, folder: Path) -> str:
    try:
        return digest(load_policy(base, folder))
    except Exception as error:  # becomes the finding of this policy's check
        return in_words(error)


if __name__ == "__main__":
    print(json.dumps(_digests(json.load(sys.stdin))))
