"""A generator's own scorer, called in the verifier's workers: some scorers evaluate what they read.

A problem is named by its generator, options and seed, from which the worker makes it again.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import import_module
from typing import Any

# By name, as the package is an extra that type checkers need not have.
_gym = import_module("reasoning_gym")


def score(problem: str, answer: str) -> tuple[bool, str]:
    """Return whether an answer earns the full score of a problem.

    Args:
        problem: JSON of `generator`, `options` and `seed`.
        answer: the answer stated.
    """
    dataset, entry = _made_again(problem)
    full = float(dataset.score_answer(answer, entry=entry)) >= 1.0
    return full, "full score" if full else "lower score"


@lru_cache(maxsize=256)
def _made_again(problem: str) -> tuple[Any, dict[str, Any]]:
    spec = json.loads(problem)
    dataset = _gym.create_dataset(spec["generator"], seed=spec["seed"], size=1, **spec["options"])
    return dataset, dataset[0]
