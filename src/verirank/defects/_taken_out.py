"""What an initialisation took out of the base, beneath the adapter."""

from __future__ import annotations

from torch import Tensor

from verirank.config import InputError
from verirank.methods import Policy


class TakenOut:
    """The frozen weight: W0 - s B0 A0 where the method edits the base, else W0."""

    def __init__(self, policy: Policy) -> None:
        """Remember the initial factors, which are small beside the weights.

        Raises:
            InputError: the base has experts or Conv1D layers.
        """
        self._base = policy.base.weights
        has_residual = policy.method.edits_base
        if has_residual and policy.locations:
            raise InputError(
                "this defect is measured on models whose layers are all linear ones: no experts, "
                "no Conv1D"
            )
        factors = policy.method.low_rank_update(policy) if has_residual else {}
        self._factors = {f"{module}.weight": pair for module, pair in factors.items()}

    def component(self, name: str) -> Tensor | float:
        """Return s B0 A0 of a weight in fp32; 0 where nothing was taken out."""
        if name not in self._factors:
            return 0.0
        # [A; A0] and s [B, -B0]: the second halves are the initial adapter.
        a, b = self._factors[name]
        rank = len(a) // 2
        return -b[:, rank:] @ a[rank:]

    def frozen(self, name: str) -> Tensor:
        """Return the fp32 weight beneath the adapter, in storage of its own."""
        return self._base[name].detach().float() - self.component(name)
