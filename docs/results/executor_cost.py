"""Measure what an executor costs beside the work of the trials that it runs, and how it scales.

    python docs/results/executor_cost.py OUT [TRIALS] [local|ray] [STEPS] >> executor_cost.md

Trains so many LoRA trials of about ten seconds on the micro model and prints a line of Markdown. A
trial's work is the time from when its process takes hold of the run to its last record; what the
slots spent beyond that, loading libraries and the base among it, is the executor's. Efficiency is
the work of as many trials as two of them have it, one after another alone on the machine, over what
all slots spent. Proof and base samples, which are taken once for a study, are done before the clock
starts.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from verirank.config import TrialConfig
from verirank.record import processor, source_revision, usable_cores
from verirank.study import (
    Executor,
    Job,
    LocalExecutor,
    RayExecutor,
    Store,
    make_study,
    run_trials,
)

ALONE = 2


def main(out: Path, n: int, kind: str, steps: int) -> None:
    """Run the trials and print the share of the executor and its efficiency."""
    settings = {
        "name": "cost",
        "preset": "quickstart",
        "methods": ["lora"],
        "trial": {
            "training": {"steps": steps},
            "evaluation": {"benches": ["test"], "problems": 64},
        },
    }
    (arm,) = make_study(settings).arms()
    store = Store(out.absolute() / "trials")
    trials = [arm.trial(seed) for seed in range(n + ALONE + 1)]
    run_trials(trials[-1:], store.folder)
    alone = timed(LocalExecutor(1), store, trials[n : n + ALONE])[1] / ALONE
    slots = usable_cores()
    executor = LocalExecutor(slots) if kind == "local" else RayExecutor()
    wall, work = timed(executor, store, trials[:n])
    revision = (source_revision() or "unknown")[:7]
    print(
        f"- {kind}, {processor()}, revision {revision}: {n} trials of {work / n:.1f} s on {slots} "
        f"slots took {wall:.1f} s; beside the work {slots * wall - work:.1f} s, "
        f"{100 * (slots * wall / work - 1):.2f} % of it. One alone takes {alone:.1f} s: efficiency "
        f"{100 * n * alone / slots / wall:.1f} %"
    )


def timed(executor: Executor, store: Store, trials: Sequence[TrialConfig]) -> tuple[float, float]:
    """Return the seconds that an executor took for trials, and those of the trials' own work."""
    jobs = [Job(store.trial(trial), store.folder) for trial in trials]
    for trial, job in zip(trials, jobs, strict=True):
        store.start(trial, job.folder)
    began = time.perf_counter()
    outcomes = executor.run(jobs, lambda: None)
    wall = time.perf_counter() - began
    failed = [outcome for outcome in outcomes if outcome.error]
    assert not failed, failed
    return wall, sum(_work(job.folder) for job in jobs)


def _work(run: Path) -> float:
    """Return the seconds from when a run was taken hold of to its last record."""
    return (run / "manifest.json").stat().st_mtime - (run / ".lock").stat().st_mtime


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        int(sys.argv[2]) if len(sys.argv) > 2 else 40,
        sys.argv[3] if len(sys.argv) > 3 else "local",
        int(sys.argv[4]) if len(sys.argv) > 4 else 22,
    )
