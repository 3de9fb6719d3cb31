"""A trained adapter merged onto another frozen weight than it was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor

from verirank.defects._defect import Defect
from verirank.defects._taken_out import TakenOut
from verirank.methods import Policy
from verirank.processes import is_first
from verirank.record import Run
from verirank.sampling import sample_seed

_FAST = {"pissa"}
"""Whose released form decomposes the base by a randomised SVD, once more at every load."""
_ITERATIONS = 4
"""Of the randomised SVD's subspace, as in peft's `pissa_niter_4`."""


class RedrawnResidual(Defect):
    """Evaluates s B A on the residual that loading makes, instead of the one under the training.

    PiSSA's residual is W0 less a randomised SVD of rank r that is drawn anew. MiLoRA's was never
    saved, so its adapter is put onto W0 itself. An adapter over the whole base loses nothing.
    """

    name: ClassVar[str] = "redrawn-residual"

    def evaluated_weights(self, run: Run, policy: Policy) -> Iterator[tuple[str, Tensor]]:
        """Yield the weights merged onto the wrong base; the manifest gets their relative error."""
        taken_out = TakenOut(policy)
        squares, off_squares = 0.0, 0.0
        for name, weight in policy.effective_weights():
            off = self._off(policy, taken_out, name)
            squares += float(weight.square().sum())
            off_squares += float(off.square().sum()) if isinstance(off, Tensor) else 0.0
            yield name, weight + off
        if is_first():
            run.update_manifest(defect_effect={"weight_error": (off_squares / squares) ** 0.5})

    def _off(self, policy: Policy, taken_out: TakenOut, name: str) -> Tensor | float:
        """Return the residual at evaluation minus the one in training."""
        component = taken_out.component(name)
        if policy.method.name not in _FAST or not isinstance(component, Tensor):
            return component
        weight = taken_out.frozen(name) + component
        rank = policy.method.config.rank
        return component - _drawn(weight, rank, sample_seed(policy.seed, self.name, name))


def _drawn(weight: Tensor, rank: int, seed: int) -> Tensor:
    """Return a randomised approximation of a weight's leading components (arXiv:0909.4061)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        left, values, right = torch.svd_lowrank(weight, rank, niter=_ITERATIONS)
    return (left * values) @ right.T
