"""What the base's own answers say before training: how good it is, and whether RL can start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from verirank.config import RunFailedError, TrialConfig
from verirank.models import ModelShape
from verirank.planning import Lengths, memory_of, work_of
from verirank.record import BUSY, duration, read_samples, step_seconds, total_wait

OUTLOOK = "training-problems"
"""The base's samples of the first training problems, beside those of the benches."""


class NothingToLearnError(RunFailedError):
    """In every group the base's rewards are equal, so every advantage is zero."""

    failure_kind = "invalid"


@dataclass(frozen=True, slots=True)
class BaseOutlook:
    """The base's answers to some problems.

    `problems` names them, `reward` is the mean reward, `graded` whether rewards are others than 0
    and 1. Of the samples that earned nothing, `unanswered` is the fraction of all that state no
    answer, `truncated` of those that reached the token limit, `limit`; `truncated_right` is the
    fraction of the others that reached it, None where all earned nothing.
    `signals` of the `groups` (one a problem) have rewards that differ. `seconds` is what the
    samples took, of which they waited the fraction `waited` for a core that other work had, None
    where the system does not tell; the mean tokens of prompts and completions are beside it.
    """

    problems: str
    reward: float
    unanswered: float
    truncated: float
    signals: int
    groups: int
    samples: int
    seconds: float
    prompt_tokens: float
    completion_tokens: float
    limit: int = 0
    truncated_right: float | None = None
    waited: float | None = None
    graded: bool = False

    def __str__(self) -> str:
        """Return one line for the user, with what stands out."""
        earned = f"mean reward {self.reward:.3g}" if self.graded else f"{100 * self.reward:.1f} %"
        line = f"base on {self.problems}: {earned}"
        if self.unanswered >= 0.2:
            line += f", {100 * self.unanswered:.0f} % state no answer"
        if self.truncated >= 0.2:
            wrong = "earn nothing and are" if self.graded else "are wrong and"
            line += f", {100 * self.truncated:.0f} % {wrong} as long as the limit allows"
        return f"{line}; rewards differ in {self.signals} of {self.groups} groups"

    def remarks(self) -> list[str]:
        """Return what many wrong completions at the token limit mean, for the user."""
        if self.truncated < 0.2:
            return []
        limit = f"the limit of {self.limit} token{'' if self.limit == 1 else 's'}"
        act = "raise sampling.max_new_tokens"
        if self.truncated_right is None:
            return [f"if an answer takes more than {limit}, {act}"]
        right = "rewarded" if self.graded else "right"
        reached = (
            f"{100 * self.truncated_right:.0f} % of the {right} completions reach {limit}, too"
        )
        if self.truncated_right >= 0.5:
            return [f"{reached}: this is no fault, unless longer answers are wanted ({act})"]
        return [f"{reached}: if this stays so in training, {act}"]


def base_outlook(problems: str, samples: pa.Table) -> BaseOutlook:
    """Return what samples of the base show.

    Args:
        problems: what the samples are of, for the user.
        samples: as `evaluation.sample_training_problems` returns them.
    """
    n = samples.num_rows
    measured = samples.schema.metadata or {}
    of_problem = samples.group_by("problem").aggregate([("reward", "min"), ("reward", "max")])
    spread = pc.subtract(of_problem["reward_max"], of_problem["reward_min"])  # type: ignore[reportAttributeAccessIssue]
    rewards, cut_off = samples["reward"].to_pylist(), samples["truncated"].to_pylist()
    lengths, seconds = samples["length"].to_pylist(), float(measured[b"seconds"])
    answers = samples["answer"].to_pylist()
    unanswered = [a is None and not r for a, r in zip(answers, rewards, strict=True)]
    at_limit_if_right = [cut for cut, reward in zip(cut_off, rewards, strict=True) if reward]
    waited = measured.get(b"waited")
    return BaseOutlook(
        problems,
        reward=sum(rewards) / n,
        unanswered=sum(unanswered) / n,
        truncated=sum(cut and not reward for cut, reward in zip(cut_off, rewards, strict=True)) / n,
        signals=sum(value > 0 for value in spread.to_pylist()),
        groups=of_problem.num_rows,
        samples=n,
        seconds=seconds,
        prompt_tokens=float(measured[b"prompt_tokens"]),
        completion_tokens=sum(lengths) / n,
        limit=max(lengths),
        truncated_right=fmean(at_limit_if_right) if at_limit_if_right else None,
        waited=None if waited is None else float(waited) / seconds,
        graded=not {0.0, 1.0}.issuperset(rewards),
    )


def read_base_outlook(base_samples: Path) -> BaseOutlook | None:
    """Return what the base's samples in a folder show; None where they are not taken yet.

    Args:
        base_samples: the folder, which trials may share.
    """
    file = base_samples / f"{OUTLOOK}.parquet"
    if not file.is_file():
        return None
    return base_outlook("training problems", read_samples(file, "training"))


def read_form_outlook(base_samples: Path) -> BaseOutlook:
    """Return what the base's samples show of a control that pays for the form: an answer stated.

    Args:
        base_samples: the folder, in which they are taken already.
    """
    samples = read_samples(base_samples / f"{OUTLOOK}.parquet", "training")
    column = samples.schema.get_field_index("reward")
    stated = [float(answer is not None) for answer in samples["answer"].to_pylist()]
    paid = samples.set_column(column, "reward", pa.array(stated, pa.float32()))
    return base_outlook("the form of training problems", paid)


def expect_signal(outlook: BaseOutlook, config: TrialConfig) -> None:
    """Refuse to train where the base's rewards differ in no group of training problems.

    Args:
        outlook: of the first training problems, by what the trial pays for.
        config: the trial's.

    Raises:
        NothingToLearnError: no group has a signal, and the settings do not say to train anyway.
    """
    if outlook.signals or config.machine.train_without_signal:
        return
    raise NothingToLearnError(
        f"nothing can be learned from equal rewards ({outlook}): {_advice(outlook, config)}, or "
        "train all the same: machine.train_without_signal=true"
    )


def _advice(outlook: BaseOutlook, config: TrialConfig) -> str:
    if outlook.truncated > 0.5:
        return "raise sampling.max_new_tokens"
    if outlook.reward > 0.5 and config.control == "format-reward":
        return "leave this control out, as the base knows the form"
    if outlook.reward > 0.5:
        return "take harder problems"
    return (
        "take easier problems or another model, or look at the prompts: "
        f"verirank tasks show {config.task.name} --model {config.model.name}"
    )


@dataclass(frozen=True, slots=True)
class ExpectedCost:
    """What a trial is expected to take: seconds of training and scoring, bytes at the peak.

    `a_step` are the seconds of a training step among them; `waited` is the fraction of its time
    for which the core had other work when this was measured, None where that is not known.
    """

    seconds: float
    memory_bytes: float
    a_step: float
    waited: float | None

    def __str__(self) -> str:
        """Return one line for the user."""
        cost = f"about {duration(self.seconds)}, {self.memory_bytes / 1e9:.1f} GB"
        return f"{cost} ({_assumed(self.waited)})"

    def corrected(self, steps: Sequence[Mapping[str, Any]]) -> ExpectedCost:
        """Return the cost once more, by how long steps took.

        Scores are taken to be slower or faster than expected as the steps are.

        Args:
            steps: lines of metrics.jsonl, at least one.
        """
        a_step = fmean(map(step_seconds, steps))
        waited = total_wait(steps)
        return ExpectedCost(
            self.seconds * a_step / self.a_step,
            self.memory_bytes,
            a_step,
            waited=None if waited is None else waited / (len(steps) * a_step),
        )


def _assumed(waited: float | None) -> str:
    """Return under which load of the machine a time was expected, for the user."""
    if waited is None:
        return "with the machine as busy as it is now"
    if waited < BUSY:
        return "with no other work on its core"
    return f"with the load of now: other work has its core {100 * waited:.0f} % of the time"


def expected_cost(config: TrialConfig, shape: ModelShape, outlook: BaseOutlook) -> ExpectedCost:
    """Return what a trial is expected to cost, from the speed and lengths of the base's samples.

    Training is taken to compute as many FLOPs a second as sampling, and completions to keep the
    length that the base's have.
    """
    lengths = Lengths(
        max(1, round(outlook.prompt_tokens)), max(1, round(outlook.completion_tokens))
    )
    work, steps = work_of(config, shape, lengths), config.training.steps
    sampled = config.sampling.problems_per_step * config.sampling.group_size
    rate = work.sampling_flops / steps * outlook.samples / sampled / outlook.seconds
    return ExpectedCost(
        work.flops / rate,
        memory_of(config, shape, lengths).total,
        a_step=(work.sampling_flops + work.training_flops) / steps / rate,
        waited=outlook.waited,
    )
