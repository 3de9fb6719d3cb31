"""What the base's own answers say before training: how good it is, and whether RL can start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from verirank.config import RunFailedError, TrialConfig
from verirank.models import ModelShape
from verirank.planning import Lengths, memory_of, work_of
from verirank.record import duration, read_samples

OUTLOOK = "training-problems"
"""The base's samples of the first training problems, beside those of the benches."""


class NothingToLearnError(RunFailedError):
    """In every group the base's rewards are equal, so every advantage is zero."""

    failure_kind = "invalid"


@dataclass(frozen=True, slots=True)
class BaseOutlook:
    """The base's answers to some problems.

    `problems` names them, `reward` is the mean reward; `unanswered` is the fraction of samples that
    state no answer, `truncated` of those that earned nothing and were cut off; `signals` of the
    `groups` (one a problem) have rewards that differ. `seconds` is what the samples took; the mean
    tokens of prompts and completions are beside it.
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

    def __str__(self) -> str:
        """Return one line for the user, with what stands out."""
        line = f"base on {self.problems}: {100 * self.reward:.1f} %"
        if self.unanswered >= 0.2:
            line += f", {100 * self.unanswered:.0f} % state no answer"
        if self.truncated >= 0.2:
            line += f", {100 * self.truncated:.0f} % are cut off without a right answer"
        return f"{line}; rewards differ in {self.signals} of {self.groups} groups"


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
    return BaseOutlook(
        problems,
        reward=sum(rewards) / n,
        unanswered=samples["answer"].null_count / n,
        truncated=sum(cut and not reward for cut, reward in zip(cut_off, rewards, strict=True)) / n,
        signals=sum(value > 0 for value in spread.to_pylist()),
        groups=of_problem.num_rows,
        samples=n,
        seconds=float(measured[b"seconds"]),
        prompt_tokens=float(measured[b"prompt_tokens"]),
        completion_tokens=sum(samples["length"].to_pylist()) / n,
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
    """What a trial is expected to take: seconds of training and scoring, bytes at the peak."""

    seconds: float
    memory_bytes: float

    def __str__(self) -> str:
        """Return one line for the user."""
        return f"about {duration(self.seconds)}, {self.memory_bytes / 1e9:.1f} GB"


def expected_cost(config: TrialConfig, shape: ModelShape, outlook: BaseOutlook) -> ExpectedCost:
    """Return what a trial is expected to cost, from the speed and lengths of the base's samples.

    Training is taken to compute as many FLOPs a second as sampling, and completions to keep the
    length that the base's have.
    """
    lengths = Lengths(
        max(1, round(outlook.prompt_tokens)), max(1, round(outlook.completion_tokens))
    )
    work = work_of(config, shape, lengths)
    a_step = work.sampling_flops / config.training.steps
    sampled = config.sampling.problems_per_step * config.sampling.group_size
    rate = a_step * outlook.samples / sampled / outlook.seconds
    return ExpectedCost(work.flops / rate, memory_of(config, shape, lengths).total)
