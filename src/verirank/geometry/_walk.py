"""One weight at a time: the base's and those of the policies that can change it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import groupby

import torch
from torch import Tensor

from verirank.config import RunFailedError
from verirank.methods import Policy


def walk(policies: Sequence[Policy]) -> Iterator[tuple[str, Tensor, dict[int, Tensor]]]:
    """Yield every weight that some policy can change, in the order of the model.

    Policies of different methods change different weights. They are walked abreast, so that a
    single weight of each is in memory.

    Args:
        policies: of the same base.

    Yields:
        The weight's name, the base's values in fp32, and by the policy's index its effective ones.

    Raises:
        RunFailedError: a policy's weight is infinite or not a number.
    """
    base = policies[0].base.weights
    index = {name: number for number, name in enumerate(base)}
    streams = [_stream(number, policy) for number, policy in enumerate(policies)]
    merged = heapq.merge(*streams, key=lambda item: index[item[0]])
    for name, group in groupby(merged, key=lambda item: item[0]):
        after = {number: weight for _, number, weight in group}
        yield name, base[name].detach().to(torch.float32), after


def _stream(number: int, policy: Policy) -> Iterator[tuple[str, int, Tensor]]:
    for name, weight in policy.effective_weights():
        if not bool(weight.isfinite().all()):
            raise RunFailedError(f"{name} holds values that are infinite or not a number")
        yield name, number, weight
