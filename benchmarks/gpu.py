"""A training step at the published experiment's shape on one GPU: seconds, share of peak, memory.

    python benchmarks/gpu.py --out docs/results/gpu

The model has DeepSeek-R1-Distill-Qwen-1.5B's shape and random weights in bf16, which cost what
trained ones do. Every method trains on the same groups of random completions, with layers computed
again in the backward pass. The FLOPs are those that `verirank plan` counts; the peak is a matrix
product of 8192 x 8192 x 8192. Memory is what torch had allocated at most, beside what `verirank
plan` expects without the process itself. PiSSA and MiLoRA, which begin by decomposing every matrix
and then take LoRA's step, are left out. Writes steps.csv and gpu.md.
"""

from __future__ import annotations

import argparse
import gc
import math
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import torch
from memory import stack
from workload import RANK, of_rank

from verirank.algorithms import Group
from verirank.config import CONTENDERS, TrialConfig, VerifierConfig, resolve
from verirank.models import SHAPES, BaseModel, device_of
from verirank.planning import GPU, Lengths, Memory, gpu, memory_of, work_of
from verirank.record import write_csv, write_file
from verirank.sampling import Completion, TransformersSampler, sample_all
from verirank.tasks import Problem
from verirank.training import Trainer
from verirank.verifier import Reward, Verifier

SHAPE = SHAPES["qwen2-1.5b"]
GROUPS, GROUP_SIZE = 2, 8
LENGTHS = Lengths(prompt=150, completion=2048)
MICRO_BATCHES = (GROUPS * (LENGTHS.prompt + GROUP_SIZE * LENGTHS.completion), 16384)
"""Tokens of a micro-batch: all of a step, and the published presets'."""
SAMPLED = 256
LEFT_OUT = {"pissa", "milora"}


def random_base() -> BaseModel:
    """Return a base of the published shape with random weights in bf16 on the GPU."""
    torch.manual_seed(0)
    base = stack("bfloat16", SHAPE.layers)
    place: Any = device_of("cuda")
    base.model.to(place)
    return base


def random_groups() -> list[Group]:
    """Return groups of completions of random tokens, every second one rewarded."""
    random = torch.Generator().manual_seed(0)

    def tokens(n: int) -> tuple[int, ...]:
        return tuple(torch.randint(0, SHAPE.vocabulary, (n,), generator=random).tolist())

    # What a model of random weights gives to every token, nearly.
    logprobs = (-math.log(SHAPE.vocabulary),) * LENGTHS.completion

    def completion(prompt: tuple[int, ...], seed: int) -> Completion:
        return Completion(prompt, tokens(LENGTHS.completion), logprobs, "", True, seed)

    groups = []
    for number in range(GROUPS):
        prompt = tokens(LENGTHS.prompt)
        completions = tuple(completion(prompt, n) for n in range(GROUP_SIZE))
        rewards = tuple(Reward(float(n % 2), bool(n % 2), "", 0.0) for n in range(GROUP_SIZE))
        groups.append(Group(Problem(str(number), "", "1"), completions, rewards))
    return groups


def _gpu() -> GPU:
    """Return what is known of the GPU at hand, an H100 or an H200."""
    return gpu("h200" if "H200" in torch.cuda.get_device_name() else "h100")


def trial_of(method: str, micro_batch: int) -> TrialConfig:
    """Return the trial whose step is measured."""
    return resolve(
        {
            "model": {"name": "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", "dtype": "bfloat16"},
            "method": {**of_rank(method, RANK), "learning_rate": 1e-6},
            "sampling": {
                "problems_per_step": GROUPS,
                "group_size": GROUP_SIZE,
                "max_new_tokens": LENGTHS.completion,
            },
            "training": {"steps": 100, "micro_batch_tokens": micro_batch},
            "machine": {"gradient_checkpointing": True},
        }
    )


def measure(
    config: TrialConfig, base: BaseModel, verifier: Verifier, rounds: int, peak: float
) -> dict[str, Any]:
    """Return what a method's training step takes; the first step warms up."""
    groups = random_groups()
    gc.collect()
    torch.cuda.empty_cache()
    sampler = TransformersSampler(base)
    trainer: list[Trainer] = []
    begin = seconds(lambda: trainer.append(Trainer(config, base, sampler, verifier)))
    (one,) = trainer
    sampler.publish(one.policy.effective_weights())
    torch.cuda.reset_peak_memory_stats()
    train, publish = [], []
    for _ in range(rounds + 1):
        train.append(seconds(lambda: one.learn(groups)))
        publish.append(seconds(lambda: sampler.publish(one.policy.effective_weights())))
    flops = work_of(config, SHAPE, LENGTHS).training_flops / config.training.steps
    memory: Memory = memory_of(config, SHAPE, LENGTHS, _gpu())
    planned = memory.base + memory.served + memory.trained + memory.activations
    return {
        "method": config.method.name,
        "micro_batch_tokens": config.training.micro_batch_tokens,
        "begin_seconds": begin,
        "train_seconds": median(train[1:]),
        "train_seconds_least": min(train[1:]),
        "train_seconds_most": max(train[1:]),
        "publish_seconds": median(publish[1:]),
        "share_of_peak": flops / median(train[1:]) / peak,
        "share_of_the_vendors": flops / median(train[1:]) / _gpu().flops,
        "memory_gb": torch.cuda.max_memory_allocated() / 1e9,
        "planned_gb": planned / 1e9,
    }


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes until the GPU is done with it."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def peak_flops() -> float:
    """Return the FLOP/s of a bf16 matrix product of random numbers, its median."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2 * 8192**3 / median([seconds(lambda: a @ b) for _ in range(20)][5:])


def decoded(base: BaseModel, prompts: int, group: int) -> float:
    """Return the tokens a second that the transformers sampler decodes."""
    sampler = TransformersSampler(base)
    asked = ["(12+7)*3-5="] * prompts
    seeds = [list(range(n * group, (n + 1) * group)) for n in range(prompts)]

    def sample(tokens: int) -> Callable[[], object]:
        return lambda: sample_all(
            sampler, asked, seeds, temperature=1.0, max_new_tokens=tokens, stop=None
        )

    seconds(sample(8))
    return prompts * group * SAMPLED / seconds(sample(SAMPLED))


def main() -> None:
    """Measure one method after the other, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--methods", nargs="*", default=None)
    asked = parser.parse_args()
    device_of("cuda")  # before anything is computed there
    peak = peak_flops()
    base = random_base()
    rows = []
    methods = asked.methods or [m for m in CONTENDERS if m not in LEFT_OUT]
    with Verifier(VerifierConfig()) as verifier:
        for micro_batch, method in product(MICRO_BATCHES, methods):
            config = trial_of(method, micro_batch)
            rows.append(measure(config, base, verifier, asked.rounds, peak))
            print(rows[-1], flush=True)
    write_csv(asked.out / "steps.csv", rows)
    rates = {n: decoded(base, 8, n // 8) for n in (64, 256)}
    write_file(asked.out / "gpu.md", page(rows, peak, rates))
    print((asked.out / "gpu.md").read_text())


def page(rows: list[dict[str, Any]], peak: float, rates: dict[int, float]) -> str:
    """Return the figures as Markdown."""
    lines = [
        "# A step on a GPU",
        "",
        f"`python benchmarks/gpu.py --out docs/results/gpu` on one {torch.cuda.get_device_name()},",
        f"torch {torch.__version__}: what benchmarks/gpu.py says it measures, all in",
        f"[steps.csv](steps.csv). {GROUPS} groups of {GROUP_SIZE} completions of "
        f"{LENGTHS.completion:,} tokens behind {LENGTHS.prompt} of a prompt.",
        f"A bf16 matrix product reaches {peak / 1e12:.0f} TFLOP/s, {peak / _gpu().flops:.0%} of",
        "the vendor's figure, by which plans count.",
    ]
    for micro_batch in MICRO_BATCHES:
        lines += ["", f"## Micro-batches of {micro_batch:,} tokens", ""]
        lines += table([row for row in rows if row["micro_batch_tokens"] == micro_batch])
    told = " and ".join(f"{rate:,.0f} of {n} samples" for n, rate in rates.items())
    lines += ["", f"The transformers sampler decodes {told} a second, side by side.", ""]
    return "\n".join(lines)


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the lines of a table of methods."""
    tokens = GROUPS * GROUP_SIZE * LENGTHS.completion
    lora = next((row["train_seconds"] for row in rows if row["method"] == "lora"), math.nan)
    lines = [
        "| method | train s | range | to LoRA | tokens/s | of peak | of the vendor's | publish s "
        "| GB | planned GB |",
        "|---" * 10 + "|",
    ]
    for row in rows:
        low, high = row["train_seconds_least"], row["train_seconds_most"]
        lines.append(
            f"| {row['method']} | {row['train_seconds']:.2f} | {low:.2f} to {high:.2f} "
            f"| {row['train_seconds'] / lora:.2f} | {tokens / row['train_seconds']:,.0f} "
            f"| {row['share_of_peak']:.0%} | {row['share_of_the_vendors']:.0%} "
            f"| {row['publish_seconds']:.2f} | {row['memory_gb']:.1f} | {row['planned_gb']:.1f} |"
        )
    return lines


if __name__ == "__main__":
    main()
