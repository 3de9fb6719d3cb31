"""What a defect may change of a trial; settings cannot make one, so no trial has it by accident."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from torch import Tensor

from verirank.methods import Method, Policy
from verirank.models import BaseModel
from verirank.record import Run
from verirank.sampling import Sampler


class Defect:
    """A way to train or score that is wrong, put around the parts that do it right.

    Methods, trainer and samplers know nothing of it. This one changes nothing; a defect overrides
    what it spoils. `in_training` tells that other weights come out; a defect without it spoils the
    scores alone, of a policy that was trained as it should be.
    """

    name: ClassVar[str] = ""
    in_training: ClassVar[bool] = False

    def expect_suits(self, method: Method) -> None:
        """Refuse a method that the defect cannot be put around.

        Raises:
            InputError: it is one.
        """

    def training_sampler(self, run: Run, base: BaseModel, sampler: Sampler) -> Sampler:
        """Return the sampler that training samples from and publishes to."""
        return sampler

    def trained_policy(self, policy: Policy) -> None:
        """Spoil the policy before its first step."""

    def evaluation_sampler(self, sampler: Sampler) -> Sampler:
        """Return the sampler that the benches are sampled from."""
        return sampler

    def evaluated_weights(self, run: Run, policy: Policy) -> Iterable[tuple[str, Tensor]]:
        """Yield (name in the base's state_dict, fp32 weight) of all that is evaluated."""
        return policy.effective_weights()
