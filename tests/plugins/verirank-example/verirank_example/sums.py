"""A task over a fixed set of problems with a reward function of its own."""

from __future__ import annotations

from verirank.tasks import Problem, ProblemSetConfig, ProblemSetTask


def reward(problem: Problem, completion: str) -> float:
    """Return 1 for the right answer, 0.2 for any boxed one."""
    if f"\\boxed{{{problem.answer}}}" in completion:
        return 1.0
    return 0.2 if "\\boxed{" in completion else 0.0


class Config(ProblemSetConfig):
    """Plain prompts, rewarded by `reward`."""

    name: str = "sums"
    template: str = "plain"  # pyright: ignore[reportIncompatibleVariableOverride]
    reward: str | None = "verirank_example.sums:reward"


class Sums(ProblemSetTask):
    """Sums of two numbers up to 30."""

    name = "sums"
    summary = "sums of two numbers, with a small reward for the right form"
    Config = Config
    max_new_tokens = 64

    @property
    def source(self) -> str:
        return self.name

    def training_set(self) -> list[Problem]:
        pairs = [(a, b) for a in range(2, 31) for b in range(2, 31)]
        return [Problem(f"{a}+{b}", f"{a}+{b}=", str(a + b)) for a, b in pairs]
