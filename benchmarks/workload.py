"""The work that every contestant is given: the same problems, lengths, method and rewards."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from zlib import crc32

from verirank.config import ModelConfig, TaskConfig, resolve
from verirank.models import BaseModel, load_base
from verirank.tasks import Problem, Task, load_task
from verirank.verifier import Reward, Verifier

TOKENS = 64
MOST_STEPS = 1000
"""More than anybody takes: how many is up to those who are timed together."""
RANK = 32


@dataclass(frozen=True, slots=True)
class Workload:
    """A training step: problems x group completions of exactly `TOKENS` tokens each."""

    model: str
    dtype: str
    task: str
    problems: int
    group: int
    never: str
    """A token that the model does not draw."""

    @property
    def completions(self) -> int:
        """The completions of a step."""
        return self.problems * self.group


WORKLOADS = {
    "micro": Workload("micro", "float32", "arithmetic", problems=16, group=8, never="<pad>"),
    "smollm2": Workload(
        "smollm2", "bfloat16", "few-shot-arithmetic", problems=8, group=8, never="<file_sep>"
    ),
}


class FixedLength(Task):
    """A task's prompts, completions that never end early, and half of each group rewarded.

    So every group has a signal, and each contestant trains on the same number of tokens.
    """

    name: ClassVar[str] = "fixed-length"
    summary: ClassVar[str] = "equal work for every contestant"
    Config = TaskConfig
    benches = ("test",)
    max_new_tokens = TOKENS

    def __init__(self, task: str) -> None:
        super().__init__(TaskConfig())
        self._task = load_task(TaskConfig(name=task))

    def training_problem(self, seed: int, index: int) -> Problem:
        """Return the task's problem, with a number as its gold answer."""
        problem = self._task.training_problem(seed, index)
        return Problem(problem.id, problem.prompt, "1")

    def bench(self, name: str, n: int) -> Sequence[Problem]:
        """Return the first problems of the stream."""
        return [self.training_problem(0, index) for index in range(n)]

    def extract(self, completion: str) -> str:
        """Return the text's checksum, for the verifier to compare."""
        return str(crc32(completion.encode()))

    def judge(
        self, verifier: Verifier, answers: Sequence[tuple[Problem, str | None]]
    ) -> list[Reward]:
        """Verify every answer as ever, then reward every second one, whatever it is."""
        rewards = super().judge(verifier, answers)
        return [replace(reward, value=float(n % 2)) for n, reward in enumerate(rewards)]


def of_rank(method: str, rank: int) -> dict[str, Any]:
    """Return the settings that name a method, and its rank where it has one."""
    known = resolve({"method": {"name": method}}).method.model_dump()
    return {"name": method, **({"rank": rank} if "rank" in known else {})}


def endless_base(work: Workload) -> BaseModel:
    """Return a base model whose completions all have `TOKENS` tokens.

    Its end of sequence is moved to a token that it never draws.
    """
    base = load_base(ModelConfig.model_validate({"name": work.model, "dtype": work.dtype}))
    tokenizer = base.tokenizer
    never = tokenizer.convert_tokens_to_ids(work.never)
    tokenizer.eos_token = tokenizer.pad_token = work.never
    base.model.generation_config.eos_token_id = base.model.config.eos_token_id = never
    return base


def mean_prompt(work: Workload) -> int:
    """Return the mean tokens of a prompt, to a whole one."""
    task = FixedLength(work.task)
    tokenizer = load_base(ModelConfig.model_validate({"name": work.model})).tokenizer
    prompts = [task.render(problem, tokenizer) for problem in task.bench("test", work.problems)]
    return round(sum(len(tokenizer(prompt).input_ids) for prompt in prompts) / len(prompts))


class Together:
    """Copies of a process, of which each is timed while all the others work, too."""

    def __init__(self, folder: str, number: int, copies: int) -> None:
        """Take part as one of so many copies, which meet in a folder."""
        self._folder, self._number, self._copies = Path(folder), number, copies

    def wait(self) -> None:
        """Wait until every copy has come so far; what is timed begins then."""
        while not self._all("warm"):
            time.sleep(0.002)

    def done(self) -> bool:
        """Return whether every copy has taken its timed steps; until then steps go on, untimed."""
        return self._all("done")

    def _all(self, mark: str) -> bool:
        (self._folder / f"{mark}-{self._number}").touch()
        return len(list(self._folder.glob(f"{mark}-*"))) == self._copies


@dataclass(slots=True)
class Timing:
    """What one process measured: seconds a step and of sampling in it, and the rest of its cost.

    `tokens` are trained in a step. `start_seconds` runs from the start of the process to the first
    step, which warms up and is in none of the lists.
    """

    start_seconds: float
    step_seconds: list[float]
    sample_seconds: list[float]
    tokens: int
    peak_bytes: int

    def tell(self) -> None:
        """Print itself as the last line, which the comparison reads."""
        print(json.dumps(asdict(self)), flush=True)


def since_start() -> float:
    """Return the seconds since this process began."""
    with open("/proc/self/stat", encoding="ascii") as file:
        ticks = int(file.read().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def peak_bytes() -> int:
    """Return the largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def arguments() -> dict[str, Any]:
    """Return the settings that the comparison passed as one JSON argument."""
    return json.loads(sys.argv[1])
