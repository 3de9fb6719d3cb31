"""Peak memory of a training step by the length of its completions, beside `verirank plan`'s.

    python benchmarks/memory.py --out docs/results/memory.md

LoRA of rank 32 in bf16, two completions a step and one micro-batch, so that its activations are
those of twice the length. The completions are made up, because memory does not ask what they say.
Each model, with and without gradient checkpointing, is a process of its own. It takes a short step
before those that count, then one of each length, from the shortest on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeVar

import torch
from workload import FixedLength

from verirank.config import Dtype, ModelConfig, TrialConfig, resolve, usable_cores
from verirank.models import SHAPES, BaseModel, ModelShape, load_base
from verirank.planning import Lengths, memory_of
from verirank.record import package_versions, processor
from verirank.sampling import Completion, Finished, Orders, TransformersSampler
from verirank.training import Trainer
from verirank.verifier import Verifier

LENGTHS = (512, 1024, 2048)
"""Tokens of a completion."""
STACK = "2 layers of the 1.5B"
MODELS = ("smollm2", STACK)
_PROMPT, _GROUP, _RANK = 64, 2, 32
T = TypeVar("T")
_LOOK_SECONDS = 0.005
_WARM_UP = 64
"""Tokens of a completion of the step that comes first and is not counted."""
_PACKAGES = ("verirank", "torch", "transformers", "peft")


class MadeUp(TransformersSampler):
    """Publishes as ever, and answers with random tokens of one length."""

    length = LENGTHS[0]

    def stream(self, orders: Orders, **how: Any) -> Generator[list[Finished]]:
        """Yield the made-up completions; their prompts are as long as each other."""
        while True:
            order = orders()
            yield [(order.index, [self._completion(seed) for seed in order.seeds])] if order else []

    def _completion(self, seed: int) -> Completion:
        generator = torch.Generator().manual_seed(seed)
        tokens = torch.randint(1000, (_PROMPT + self.length,), generator=generator).tolist()
        prompt, written = tuple([7] * _PROMPT), tuple(tokens[_PROMPT:])
        logprobs = (-1.0,) * self.length
        return Completion(prompt, written, logprobs, str(seed), truncated=True, seed=seed)


def measure(
    model: str, checkpointing: bool, lengths: Sequence[int], method: str, dtype: Dtype
) -> list[dict[str, Any]]:
    """Return by length the bytes at the peak of a step behind the first, and those planned."""
    torch.set_num_threads(usable_cores())
    base = load_base(ModelConfig(name=model, dtype=dtype)) if model != STACK else stack(dtype)
    config, sampler, found = trial(method, checkpointing, max(lengths), dtype), MadeUp(base), []
    with Verifier(config.verifier) as verifier:
        trainer = Trainer(config, base, sampler, verifier, task=FixedLength("arithmetic"))
        # The first step of all makes the served copy and AdamW's moments once its own peak is over:
        # were it counted, the next one would seem to have grown by them.
        for length in (_WARM_UP, *lengths):
            sampler.length = length
            step, peak = peak_of(trainer.train_step)
            assert step.metrics["groups_used"] == 1
            planned = memory_of(config, base.shape, Lengths(_PROMPT, length)).total
            found.append({"length": length, "measured": peak, "planned": planned})
    return found[1:]


def peak_of(work: Callable[[], T]) -> tuple[T, int]:
    """Return what some work returns, and the most bytes that the process had of its own meanwhile.

    That is, without pages of files: those of libraries are in the resident size for as long as the
    system leaves them there, and it takes back hundreds of MB. These bases, whose files are in
    another dtype or do not exist, are the process's own.
    """
    peak, done = 0, Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(_LOOK_SECONDS):
            lines = Path("/proc/self/status").read_text("utf-8").splitlines()
            (own,) = (line.split()[1] for line in lines if line.startswith("RssAnon:"))
            peak = max(peak, 1024 * int(own))

    watcher = Thread(target=watch)
    watcher.start()
    try:
        made = work()
    finally:
        done.set()
        watcher.join()
    return made, peak


def trial(method: str, checkpointing: bool, length: int, dtype: Dtype) -> TrialConfig:
    """Return a step of one group, all of it in one micro-batch."""
    return resolve(
        {
            "model": {"name": "smollm2", "dtype": dtype},
            "method": {"name": method, "rank": _RANK, "learning_rate": 1e-4},
            # Made-up completions are not what any policy would say.
            "sampling": {"problems_per_step": 1, "group_size": _GROUP, "kl_limit": 1e9},
            "training": {"micro_batch_tokens": _GROUP * (_PROMPT + length)},
            "machine": {"gradient_checkpointing": checkpointing},
        }
    )


def stack(dtype: Dtype, layers: int = 2) -> BaseModel:
    """Return so many layers of the 1.5B model's shape, of random weights, with its embeddings."""
    from transformers import AutoModelForCausalLM, Qwen2Config

    shape: ModelShape = replace(SHAPES["qwen2-1.5b"], layers=layers)
    config = Qwen2Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        tie_word_embeddings=shape.tied_embeddings,
    )
    model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
    model.eval().requires_grad_(False)
    tokenizer = load_base(ModelConfig(name="micro")).tokenizer
    base = BaseModel(ModelConfig(name=STACK, dtype=dtype), "random weights", model, tokenizer)
    assert base.shape == shape
    return base


def in_a_process(
    model: str,
    checkpointing: bool,
    lengths: Sequence[int],
    method: str = "lora",
    dtype: Dtype = "bfloat16",
) -> list[dict[str, Any]]:
    """Measure in a process of its own, in which what is freed goes back to the system at once.

    glibc would keep pieces of up to 32 MB for later, and the peak would tell of them.
    """
    asked = json.dumps([model, checkpointing, list(lengths), method, dtype])
    command = [sys.executable, "-W", "ignore", __file__, "--measure", asked]
    environment = os.environ | {
        "OMP_NUM_THREADS": str(usable_cores()),
        "MALLOC_MMAP_THRESHOLD_": str(2**20),
    }
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def page(rows: list[tuple[str, bool, list[dict[str, Any]]]]) -> str:
    """Return the results as Markdown."""
    packages = ", ".join(f"{name} {at}" for name, at in package_versions(_PACKAGES).items())
    lines = [
        "# Memory of long completions",
        "",
        "```sh",
        "python benchmarks/memory.py --out docs/results/memory.md",
        "```",
        "",
        f"The largest memory of a whole training step: LoRA of rank {_RANK} on the seven "
        f"linears, bf16 base, one group of {_GROUP} completions in one micro-batch, on "
        f"{usable_cores()} cores of {processor()}; {packages}. Beside it what `verirank plan` "
        "predicts ([planning](../planning.md)). Each line is a process of its own, with "
        "`MALLOC_MMAP_THRESHOLD_=1048576`: glibc alone keeps what was freed in pieces of up to "
        "32 MB. Memory is what the process has of its own, its base with it; how much of the "
        "libraries' files is resident besides is up to the system, which takes idle pages back. "
        f"A step of {_WARM_UP} tokens comes first and is not counted, because the copy "
        "that is sampled from and the optimiser's moments are made at the end of a first step.",
        "",
        "| model | gradient checkpointing | "
        + " | ".join(f"{length:,} tokens: GB (planned)" for length in LENGTHS)
        + " | MB a token: to 1,024, to 2,048 |",
        "|---|---|---|---|---|---|",
    ]
    for model, checkpointing, found in rows:
        cells = [f"{f['measured'] / 1e9:.2f} ({f['planned'] / 1e9:.2f})" for f in found]
        slopes = ", ".join(f"{slope / 1e6:.2f}" for slope in growth(found))
        name = "SmolLM2-135M" if model == "smollm2" else model
        lines.append(
            f"| {name} | {'yes' if checkpointing else 'no'} | {' | '.join(cells)} | {slopes} |"
        )
    off = [f["planned"] / f["measured"] - 1 for _, _, found in rows for f in found]
    lines += [
        "",
        f"The plan is from {100 * min(off):+.0f} to {100 * max(off):+.0f} % off. No tensor of all "
        "tokens by the vocabulary exists at any time "
        "(`tests/training/test_training_memory.py`), and none of all pairs of tokens a layer. The "
        "first line, and the layers of the 1.5B model's shape, are measured again by "
        "`tests/planning/test_long_completions.py`.",
    ]
    return "\n".join([*lines, ""])


def growth(found: list[dict[str, Any]]) -> list[float]:
    """Return the bytes that each further token of a completion took, from length to length."""
    pairs = pairwise(found)
    return [(b["measured"] - a["measured"]) / (b["length"] - a["length"]) for a, b in pairs]


def main() -> None:
    """Measure everything, or what one process is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="Markdown file to write; the terminal if absent")
    parser.add_argument("--measure", type=json.loads, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        return print(json.dumps(measure(*asked.measure)))
    rows = [(m, c, in_a_process(m, c, LENGTHS)) for m in MODELS for c in (False, True)]
    if asked.out is None:
        return print(page(rows))
    asked.out.write_text(page(rows), "utf-8")
    return None


if __name__ == "__main__":
    main()
