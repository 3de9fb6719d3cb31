"""What another process makes of a saved policy: the one thing that memory cannot hide."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

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


def digests_elsewhere(model: ModelConfig, folders: Sequence[Path]) -> list[str]:
    """Load every saved policy in one fresh process.

    Args:
        model: the base.
        folders: where `save_policy` wrote.

    Returns:
        A digest each, or the error that kept it from loading.
    """
    request = {
        "model": model.model_dump(mode="json"),
        "folders": [str(folder) for folder in folders],
        # Matrix products are the same to the bit on the same number of threads only.
        "threads": torch.get_num_threads(),
    }
    done = subprocess.run(
        [sys.executable, "-m", __name__], input=json.dumps(request), capture_output=True, text=True
    )
    if done.returncode:
        return [f"the process failed: {done.stderr.strip().splitlines()[-1]}"] * len(folders)
    return json.loads(done.stdout.splitlines()[-1])


def _main() -> None:
    request = json.load(sys.stdin)
    torch.set_num_threads(request["threads"])
    base = load_base(ModelConfig.model_validate(request["model"]))
    print(json.dumps([_digest_of(base, Path(folder)) for folder in request["folders"]]))


def _digest_of(base: BaseModel, folder: Path) -> str:
    try:
        return digest(load_policy(base, folder))
    except Exception as error:  # becomes the finding of this policy's check
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    _main()
