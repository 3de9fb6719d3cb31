"""Sampling for DAPO: rounds that wait for their longest completion, and refill that never waits.

    python benchmarks/refill.py --out docs/results/refill.md
    python benchmarks/refill.py --quick --json

Half of the groups have no signal, and a few completions are many times as long as most; both are
drawn from seeds, so both ways sample the same groups. They take turns, a step at a time, on the
same sampler, and have to accept the same problems. `--quick` times the transformers sampler alone.
Without it vLLM on the CPU is timed too, and the hours of `paper-1.5b` on one H100 are simulated
both ways, by the planner's own model of decoding.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from workload import WORKLOADS, FixedLength, endless_base

from verirank.config import VerifierConfig, load_plugin, read_settings, resolve, usable_cores
from verirank.models import SHAPES
from verirank.planning import (
    AT_LIMIT,
    KEPT,
    Engine,
    LengthModel,
    Lengths,
    engine_of,
    gpu,
    hours_of,
    refill,
)
from verirank.record import processor
from verirank.sampling import Completion, Order, Sampler, open_sampler, sample_seed
from verirank.tasks import Problem, grade
from verirank.training import Clock, Grader, Intake, KeepRate, Refill
from verirank.verifier import Reward, Verifier

_WORK = WORKLOADS["smollm2"]
WANTED, GROUP, STEPS = 8, 4, 2
MEDIAN, LIMIT, LONG = 8, 256, 0.12
"""Tokens of a usual completion, of a long one, and the fraction that is long."""
ROUNDS = 10


def has_signal(problem: Problem) -> bool:
    """Return whether a group of the problem is kept: every second one, by a seed."""
    return sample_seed("signal", problem.id) % 2 == 0


def limits(step: int, place: int) -> list[int]:
    """Return the tokens of each completion of a group: few, seldom very many."""
    random = Random(f"lengths {step} {place}")
    usual = lambda: max(2, round(random.lognormvariate(math.log(MEDIAN), 0.5)))  # noqa: E731
    return [LIMIT if random.random() < LONG else min(usual(), LIMIT) for _ in range(GROUP)]


class HalfWithoutSignal(FixedLength):
    """Verifies every answer, and then rewards half of a group's where the problem has a signal."""

    def judge(
        self, verifier: Verifier, answers: Sequence[tuple[Problem, str | None]]
    ) -> list[Reward]:
        """Return the rewards of whole groups, one after the other."""
        return [
            replace(reward, value=float(right), correct=right)
            for n, ((problem, _), reward) in enumerate(
                zip(answers, super().judge(verifier, answers), strict=True)
            )
            for right in [has_signal(problem) and n % 2 == 0]
        ]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a step of sampling took, and which problems it accepted."""

    seconds: float
    sampled: list[str]
    accepted: list[str]


class Sampling:
    """One step's sampling, either way, over the same sampler."""

    def __init__(self, sampler: Sampler, verifier: Verifier) -> None:
        self.sampler, self.verifier = sampler, verifier
        self.task = HalfWithoutSignal(_WORK.task)
        dapo = resolve({"algorithm": {"name": "dapo"}}).algorithm
        self.algorithm = load_plugin("algorithm", "dapo")(dapo)
        self.rate = KeepRate()

    def order(self, step: int, place: int) -> tuple[Problem, Order]:
        """Return a place's problem, and what is sampled of it."""
        problem = self.task.training_problem(step, place)
        seeds = [sample_seed("refill", step, place, sample) for sample in range(GROUP)]
        prompt = self.task.render(problem, self.sampler.tokenizer)
        tokens = tuple(self.sampler.tokenizer(prompt).input_ids)
        return problem, Order(place, tokens, seeds, limits(step, place))

    def rewards(
        self, problems: Sequence[Problem], groups: Sequence[Sequence[Completion]]
    ) -> list[list[Reward]]:
        """Return what the completions of each problem earn."""
        texts = [[completion.text for completion in group] for group in groups]
        return grade(self.task, self.verifier, problems, texts)

    def settings(self, step: int) -> dict[str, Any]:
        """Return how a step is drawn."""
        orders = (self.order(step, place)[1] for place in range(WANTED))
        longest = max(len(order.prompt_tokens) for order in orders)
        return {"longest": longest + LIMIT, "temperature": 1.0, "stop": None}

    def refilled(self, step: int) -> Taken:
        """Fill a batch as training does."""
        start = time.perf_counter()
        filling = Refill(
            self.sampler,
            Grader(self.rewards),
            Intake(WANTED, WANTED * ROUNDS, self.rate),
            lambda place: self.order(step, place),
            self.algorithm.selects,
        )
        groups = filling.fill(Clock(), **self.settings(step))
        return Taken(
            time.perf_counter() - start,
            [group.problem.id for group in groups],
            [group.problem.id for group in groups if self.algorithm.selects(group)],
        )

    def in_rounds(self, step: int) -> Taken:
        """Sample the groups that are missing, wait for all of them, verify them, and so on."""
        start, sampled, accepted = time.perf_counter(), list[str](), list[str]()
        for _ in range(ROUNDS):
            first = len(sampled)
            places = range(first, first + WANTED - len(accepted))
            chosen = [self.order(step, place) for place in places]
            problems = [problem for problem, _ in chosen]
            made = self._all_of(step, [order for _, order in chosen])
            rewards = self.rewards(problems, made)
            sampled += [problem.id for problem in problems]
            accepted += [
                problem.id
                for problem, group in zip(problems, rewards, strict=True)
                if 0 < sum(reward.correct for reward in group) < GROUP
            ]
            if len(accepted) == WANTED:
                break
        return Taken(time.perf_counter() - start, sampled, accepted)

    def _all_of(self, step: int, orders: list[Order]) -> list[list[Any]]:
        waiting, made = iter(orders), dict[int, list[Any]]()
        turns = self.sampler.stream(lambda: next(waiting, None), **self.settings(step))
        with closing(turns):
            while len(made) < len(orders):
                made |= next(turns)
        return [made[order.index] for order in orders]

    def seconds_a_token(self, rows: int) -> float:
        """Return the seconds of one decoding step of so many samples."""
        _, order = self.order(0, 0)
        seconds: list[float] = []
        for tokens in (8, 40):
            seeds = [sample_seed("rows", n) for n in range(rows)]
            start = time.perf_counter()
            self._all_of(0, [replace(order, seeds=seeds, limits=[tokens] * rows)])
            seconds.append(time.perf_counter() - start)
        return (seconds[1] - seconds[0]) / 32


def measure(name: str, steps: int) -> dict[str, Any]:
    """Time both ways with a sampler, turn by turn."""
    torch.set_num_threads(usable_cores())
    bf16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    work = replace(_WORK, dtype="bfloat16" if bf16 or name == "vllm" else "float32")
    config = resolve(
        {
            "model": {"name": work.model, "dtype": work.dtype},
            "sampling": {"sampler": name, "vllm": {"max_num_seqs": 256, "max_model_len": 1024}},
        }
    )
    base = endless_base(work)
    with open_sampler(config, base) as sampler, Verifier(VerifierConfig()) as verifier:
        sampling = Sampling(sampler, verifier)
        sampling.seconds_a_token(2)  # nobody is timed while memory is first touched
        costs = {rows: sampling.seconds_a_token(rows) for rows in (4, 64)}
        rounds, refills = list[Taken](), list[Taken]()
        for step in range(1, steps + 1):
            rounds.append(sampling.in_rounds(step))
            refills.append(sampling.refilled(step))
    took = [sum(taken.seconds for taken in way) for way in (rounds, refills)]
    a_row = max(0.0, (costs[64] - costs[4]) / 60)
    engine = Engine(costs[4] - 4 * a_row, a_row, 0, 0, 1, slots=256)
    predicted = [
        sum(simulated(engine, step)[way] for step in range(1, steps + 1)) for way in (0, 1)
    ]
    return {
        "ratio": took[0] / took[1],
        "same_problems": all(
            (one.sampled, one.accepted) == (other.sampled, other.accepted)
            for one, other in zip(rounds, refills, strict=True)
        ),
        "sampler": name,
        "dtype": work.dtype,
        "steps": steps,
        "seconds_rounds": took[0],
        "seconds_refill": took[1],
        "groups_sampled": sum(len(taken.sampled) for taken in refills),
        "groups_accepted": sum(len(taken.accepted) for taken in refills),
        "simulated_ratio": predicted[0] / predicted[1],
        "processor": processor(),
    }


def fates(step: int) -> Iterator[tuple[list[int], bool]]:
    """Yield the lengths of a step's groups, and whether each is kept."""
    task, place = HalfWithoutSignal(_WORK.task), 0
    while True:
        yield limits(step, place), has_signal(task.training_problem(step, place))
        place += 1


def simulated(engine: Engine, step: int) -> tuple[float, float]:
    """Return the seconds of a step in rounds, and refilled, by the model of decoding."""
    waiting = in_rounds(engine, 0, fates(step), WANTED)
    filled = refill(engine, 0, fates(step), wanted=WANTED, most=WANTED * ROUNDS, kept=0.5)
    return waiting, filled.seconds


def in_rounds(
    engine: Engine, prompt: int, groups: Iterable[tuple[list[int], bool]], wanted: int
) -> float:
    """Return the seconds of rounds, each as long as its longest completion."""
    stream, missing, seconds = iter(groups), wanted, 0.0
    for _ in range(ROUNDS):
        drawn = [next(stream) for _ in range(missing)]
        seconds += engine.seconds(prompt, [length for lengths, _ in drawn for length in lengths])
        missing -= sum(kept for _, kept in drawn)
        if not missing:
            break
    return seconds


def h100() -> list[dict[str, Any]]:
    """Simulate `paper-1.5b` on one H100, eagerly and with CUDA graphs, both ways."""
    shape, lengths, rows = SHAPES["qwen2-1.5b"], Lengths(150, 8100), list[dict[str, Any]]()
    for eager in (True, False):
        settings = read_settings("paper-1.5b")
        vllm = settings["sampling"].get("vllm", {}) | {"enforce_eager": eager}
        config = resolve(settings | {"sampling": settings["sampling"] | {"vllm": vllm}})
        hours = hours_of(config, shape, lengths, gpu("h100"))
        engine, steps = engine_of(config, shape, gpu("h100")), config.training.steps
        drawn, random = LengthModel.of(8100, 16384, AT_LIMIT), np.random.default_rng(0)
        groups = (
            (drawn.draw(config.sampling.group_size, random), bool(random.random() < KEPT))
            for _ in repeat(None)
        )
        wanted = config.sampling.problems_per_step
        waiting = sum(in_rounds(engine, lengths.prompt, groups, wanted) for _ in range(32)) / 32
        rounds = steps * waiting / 3600
        rows.append(
            {
                "decoding": "eager" if eager else "CUDA graphs",
                "sampling_rounds": rounds,
                "total_rounds": hours.total - hours.sampling + rounds,
                "sampling_refill": hours.sampling,
                "total_refill": hours.total,
            }
        )
    return rows


def page(measured: list[dict[str, Any]], simulated: list[dict[str, Any]]) -> str:
    """Return the page of results."""
    lines = [
        "# Sampling without waiting",
        "",
        f"`python benchmarks/refill.py --out docs/results/refill.md` on {usable_cores()} cores of "
        f"{measured[0]['processor']}.",
        "",
        f"SmolLM2-135M, DAPO, {WANTED} groups of {GROUP} wanted a step, half of all groups without "
        f"signal; completions have about {MEDIAN} tokens, {100 * LONG:.0f} % of them {LIMIT}. "
        "Lengths and signals are drawn from seeds. Rounds sample the groups that are missing and "
        "wait for all of them; refill is what training does. Both take turns on one sampler.",
        "",
        "| sampler | dtype | steps | rounds, s | refill, s | ratio | by the model of decoding | "
        "same problems |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {m['sampler']} | {m['dtype']} | {m['steps']} | {m['seconds_rounds']:.1f} | "
        f"{m['seconds_refill']:.1f} | {m['ratio']:.2f} | {m['simulated_ratio']:.2f} | "
        f"{'yes' if m['same_problems'] else 'no'} |"
        for m in measured
    ]
    lines += [
        "",
        "The model of decoding is the planner's (`planning/_decoding.py`), given the seconds of a "
        "step of 4 and of 64 samples that were measured with the same sampler.",
        "",
        "## Simulated: `paper-1.5b` on one H100",
        "",
        "A discrete-event simulation by the same model with the planner's constants for an H100, "
        "not a measurement: mean 8,100 tokens, 12 % at the limit of 16,384, half of the groups "
        "kept. FLOPs alone, without decoding step by step, had planned 25.7 hours.",
        "",
        "| decoding | sampling in rounds, h | trial, h | sampling by refill, h | trial, h |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {s['decoding']} | {s['sampling_rounds']:.0f} | {s['total_rounds']:.0f} | "
        f"{s['sampling_refill']:.0f} | {s['total_refill']:.0f} |"
        for s in simulated
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and print or write what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the transformers sampler alone")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", choices=("transformers", "vllm"), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="write the page of results here")
    arguments = parser.parse_args()
    if arguments.quick or arguments.only:
        found = measure(arguments.only or "transformers", STEPS)
        print(json.dumps(found) if arguments.json else page([found], h100()))
        return
    measured = []
    for name in ("transformers", "vllm"):  # a process each, because vLLM changes its own
        command = [sys.executable, __file__, "--only", name, "--json"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        measured.append(json.loads(done.stdout.splitlines()[-1]))
    simulation = h100()
    if arguments.out:
        arguments.out.write_text(page(measured, simulation), "utf-8")
    print(
        json.dumps({"measured": measured, "simulated": simulation})
        if arguments.json
        else page(measured, simulation)
    )


if __name__ == "__main__":
    main()
