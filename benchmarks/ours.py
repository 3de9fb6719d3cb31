"""One process of VeriRank's trainer on a workload; prints what it measured."""

from __future__ import annotations

import time

import torch
from workload import (
    MOST_STEPS,
    RANK,
    WORKLOADS,
    FixedLength,
    Timing,
    Together,
    arguments,
    endless_base,
    peak_bytes,
    since_start,
)

from verirank.config import VerifierConfig, resolve
from verirank.sampling import open_sampler
from verirank.training import Trainer
from verirank.verifier import Verifier


def main() -> None:
    """Train some steps and tell their time."""
    asked = arguments()
    torch.set_num_threads(asked["threads"])
    work = WORKLOADS[asked["workload"]]
    base = endless_base(work)
    settings = {
        "model": {"name": work.model, "dtype": work.dtype},
        "method": {"name": asked["method"], **({"rank": RANK} if asked["ranked"] else {})},
        "algorithm": {"name": "grpo"},
        "sampling": {
            "sampler": asked["sampler"],
            "problems_per_step": work.problems,
            "group_size": work.group,
        },
        "training": {
            "steps": MOST_STEPS,
            "micro_batch_tokens": asked["micro_batch_tokens"],
        },
    }
    config = resolve(settings)
    with Verifier(VerifierConfig()) as verifier, open_sampler(config, base) as sampler:
        trainer = Trainer(config, base, sampler, verifier, task=FixedLength(work.task))
        trainer.max_new_tokens = trainer.task.max_new_tokens
        started = since_start()
        together, steps, seconds = Together(**asked["together"]), [], []
        trainer.train_step()
        together.wait()
        for _ in range(asked["steps"]):
            began = time.perf_counter()
            steps.append(trainer.train_step())
            seconds.append(time.perf_counter() - began)
        while not together.done():
            trainer.train_step()
    tokens = {sum(len(c.tokens) for g in step.groups for c in g.completions) for step in steps}
    used = {step.metrics["groups_used"] for step in steps}
    assert used == {work.problems}, f"groups without a signal: {used}"
    Timing(
        start_seconds=started,
        step_seconds=seconds,
        sample_seconds=[float(s.metrics["seconds_sample"] or 0) for s in steps],
        tokens=tokens.pop(),
        peak_bytes=peak_bytes(),
    ).tell()


if __name__ == "__main__":
    main()
