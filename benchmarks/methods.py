"""What every method is and can do, and what keeps peft's other tuners out: docs/methods.md.

    python benchmarks/methods.py --out docs/methods.md
    python benchmarks/methods.py --only eva,corda

The second line probes some entries and keeps the page's other rows as they are. Everything in the
tables is probed on the micro model by one core, in a few minutes. Seconds and memory are of a
training step on 16 sequences of 64 random tokens, in fp32, beside LoRA's: CPU seconds of forward
pass, backward pass and optimiser, medians of alternating steps; and the bytes that the backward
pass needs and the 16 bytes of every trained number. Methods that start from data start from random
tokens here.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from tuners import REFUSED, failures

from verirank.config import InputError, MethodConfig, ModelConfig, TrainingConfig, plugin_names
from verirank.methods import (
    Method,
    Policy,
    RandomData,
    check_methods,
    default_methods,
    lora_adapter,
)
from verirank.models import SHAPES, BaseModel, load_base

ROUNDS, PUBLISHES = 3, 10
SEQUENCES, TOKENS = 16, 64
SHAPE = "qwen2-1.5b"


class Probe:
    """A policy at its default rate, and steps of it on random tokens."""

    def __init__(self, base: BaseModel, name: str) -> None:
        rates = type(next(m for m in default_methods() if m.name == name)).default_rates
        assert rates is not None
        config, data = MethodConfig(name=name), RandomData.of(base)
        self.policy = Policy.create(base, config, seed=0, total_steps=PUBLISHES, data=data)
        self.optimizer = self.policy.optimizer(TrainingConfig(), rates.micro)
        self.taken = 0

    def loss(self) -> Tensor:
        """Return a policy-gradient loss of the next random tokens."""
        generator = torch.Generator().manual_seed(self.taken)
        vocabulary = self.policy.base.shape.vocabulary
        tokens_NT = torch.randint(vocabulary, (SEQUENCES, TOKENS), generator=generator)
        with self.policy.autocast():
            logits_NTV = self.policy.model(input_ids=tokens_NT).logits[:, :-1]
        logprobs_NT = logits_NTV.float().log_softmax(-1).gather(-1, tokens_NT[:, 1:, None])
        advantages_N = torch.tensor([1.0, -1.0]).repeat(SEQUENCES // 2)
        return -(advantages_N[:, None, None] * logprobs_NT).mean()

    def step(self) -> float:
        """Take a training step; return the seconds of a core that it took."""
        start = time.process_time()
        self.optimizer.zero_grad()
        self.loss().backward()
        self.taken += 1
        self.policy.update(self.optimizer, self.taken, max_norm=1.0)
        return time.process_time() - start

    def kept(self) -> int:
        """Return the bytes that a backward pass needs, and those of the trained state."""
        with saved_bytes(self.policy.model) as sizes:
            self.loss()
        trained = sum(p.numel() for p in self.policy.trainable().values())
        return sum(sizes.values()) + 16 * trained

    def drift(self) -> float:
        """Return how far bf16 weights are from their start after merging in place, step by step."""
        start = {n: w.to(torch.bfloat16) for n, w in self.policy.effective_weights()}
        plain = self.policy.base.model.state_dict()
        live = {name: weight.clone() for name, weight in start.items()}
        for _ in range(PUBLISHES):
            self.step()
            for name, weight in self.policy.effective_weights():
                change = weight - plain[name].float()
                live[name] += change
                live[name] -= change
        off = sum(float((live[n].float() - w.float()).square().sum()) for n, w in start.items())
        return (off / sum(float(w.float().square().sum()) for w in start.values())) ** 0.5


@contextmanager
def saved_bytes(model: nn.Module) -> Iterator[dict[int, int]]:
    """Yield the sizes, by storage, of what autograd saves beside the model's own tensors."""
    own = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    sizes: dict[int, int] = {}
    held = []

    def pack(tensor: Tensor) -> Tensor:
        parts = [tensor]
        if tensor.is_sparse:
            parts = [tensor._indices(), tensor._values()]
        for storage in (part.untyped_storage() for part in parts):
            if storage.data_ptr() not in own:
                sizes[storage.data_ptr()] = storage.nbytes()
        held.append(tensor)  # so that no other storage takes its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield sizes


def has(form: Callable[[Policy], Any], policy: Policy) -> bool:
    """Return whether a method has a form in which it can be exported."""
    try:
        form(policy)
    except InputError:
        return False
    return True


def row(method: Method, checks: Any, base: BaseModel, narrow: BaseModel) -> list[str]:
    """Return the table's row of one method."""
    own, lora = Probe(base, method.name), Probe(base, "lora")
    kept, of_lora = own.kept(), lora.kept()
    seconds = [(own.step(), lora.step()) for _ in range(ROUNDS + 1)][1:]
    passed = {check.name: check.passed for check in checks.checks}
    parameters, total = method.count(SHAPES[SHAPE]), SHAPES[SHAPE].parameters
    return [
        f"`{method.name}`",
        method.family,
        method.reference.replace("arXiv:", ""),
        f"{parameters:,} ({100 * parameters / total:.3g} %)",
        f"{sum(passed.values())} of {len(passed)}",
        "yes" if passed["published-equals-forward"] else "no",
        "yes" if has(method.adapter, own.policy) else "no",
        "yes" if has(lora_adapter, own.policy) else "no",
        f"{Probe(narrow, method.name).drift():.1e}",
        f"{median(a for a, _ in seconds) / median(b for _, b in seconds):.2f}",
        f"{kept / of_lora:.2f}",
    ]


HEADING = (
    "method | family | paper (arXiv) | trained at 1.5B | checks | mergeable | peft adapter "
    "| plain LoRA, so vLLM adapter | drift | seconds | memory"
)


def table(heading: str, rows: list[list[str]]) -> str:
    """Return a table in Markdown; the heading is given with | between its columns."""
    columns = [column.strip() for column in heading.split("|")]
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(rows: list[list[str]], refused: list[list[str]]) -> str:
    """Return the whole page."""
    template = (Path(__file__).parent / "methods.md.in").read_text("utf-8")
    return template.replace("@METHODS@", table(HEADING, rows)).replace(
        "@REFUSED@", table("in peft | checks that fail | why", refused)
    )


def kept_rows(page: Path) -> dict[str, list[str]]:
    """Return the rows of both tables of a page that was written before, by their first cell."""
    lines = [line for line in page.read_text("utf-8").splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row for row in cells}


def main() -> None:
    """Probe all methods, or some, and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("docs/methods.md"))
    parser.add_argument("--only", help="names with commas: keep the page's other rows")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    kept = kept_rows(arguments.out) if arguments.only else {}
    only = set(arguments.only.split(",")) if arguments.only else {*plugin_names("method"), *REFUSED}
    base = load_base(ModelConfig())
    narrow = load_base(ModelConfig(dtype="bfloat16"))
    names = [name for name in plugin_names("method") if name in only]
    reports = check_methods([MethodConfig(name=name) for name in names], ModelConfig())
    checks = dict(zip(names, reports, strict=True))
    rows = []
    for method in default_methods():
        if method.name in checks:
            rows.append(row(method, checks[method.name], base, narrow))
            print(*rows[-1], flush=True)
        else:
            rows.append(kept[f"`{method.name}`"])
    refused = [
        [label, *failures(build)] if label in only else kept[label]
        for label, build in REFUSED.items()
    ]
    arguments.out.write_text(page(rows, refused), "utf-8")
    if arguments.json:
        arguments.json.write_text(json.dumps({"methods": rows, "refused": refused}, indent=1))


if __name__ == "__main__":
    main()
