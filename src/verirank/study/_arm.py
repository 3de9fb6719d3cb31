"""An arm of a study: one configuration that is trained with several seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from verirank.config import ArmConfig, TrialConfig
from verirank.trial import digest

_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Arm:
    """One configuration under comparison, without a seed.

    Args:
        name: method and a hash of the settings; arms with equal settings have equal names.
        settings: everything else, the default learning rate included.
    """

    name: str
    settings: ArmConfig

    @classmethod
    def of(cls, trial: TrialConfig) -> Arm:
        """Return the arm that a trial belongs to, at the trial's learning rate."""
        content = trial.identity(without=frozenset({"seed"}))
        settings = ArmConfig.model_construct(None, **_sections(trial))
        return cls(f"{settings.method.name}-{digest(content, _DIGITS)}", settings)

    @property
    def method(self) -> str:
        """The method's name."""
        return self.settings.method.name

    @property
    def steps(self) -> int:
        """The training steps of each of its trials."""
        return self.settings.training.steps

    @property
    def learning_rate(self) -> float:
        """The learning rate that the study sets, around which a search is centred."""
        rate = self.settings.method.learning_rate
        assert rate is not None  # `Study.arms` spells it out
        return rate

    def trial(self, seed: int, rate: float | None = None) -> TrialConfig:
        """Return the trial at a seed and a learning rate, by default the arm's own."""
        rate = self.learning_rate if rate is None else rate
        method = self.settings.method.model_copy(update={"learning_rate": rate})
        sections = _sections(self.settings) | {"method": method}
        return TrialConfig.model_construct(None, **sections, seed=seed)


def _sections(settings: ArmConfig) -> dict[str, Any]:
    """Return the sections of checked settings, as they are, without a seed."""
    return {name: getattr(settings, name) for name in ArmConfig.model_fields}
