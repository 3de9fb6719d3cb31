"""Measure what an executor costs beside the work of the trials that it runs.

    python docs/results/executor_cost.py OUT [TRIALS] [local|ray]

Trains so many LoRA trials of about ten seconds on the micro model. A trial's work is the time from
its process's first line to its last record; what the slots spent beyond that is the executor's.
Proof and base samples, which are taken once for a study, are done before the clock starts.
"""

import sys
import time
from pathlib import Path

from verirank.record import usable_cores
from verirank.study import Job, LocalExecutor, RayExecutor, Store, make_study, run_trials
from verirank.study._definition import with_seed


def main(out: Path, n: int, kind: str) -> None:
    """Run the trials and print the share of the executor."""
    trial = {"training": {"steps": 22}, "evaluation": {"benches": ["test"], "problems": 64}}
    settings = {"name": "cost", "preset": "quickstart", "methods": ["lora"], "trial": trial}
    (arm,) = make_study(settings).arms()
    store = Store(out.absolute() / "trials")
    run_trials([with_seed(arm, n)], store.folder)
    jobs = [
        Job(store.start(t), store.base_samples(t)) for t in (with_seed(arm, s) for s in range(n))
    ]
    slots = usable_cores()
    executor = LocalExecutor(slots) if kind == "local" else RayExecutor()
    began = time.perf_counter()
    outcomes = executor.run(jobs, lambda: None)
    wall = time.perf_counter() - began
    assert not any(outcome.error for outcome in outcomes)
    spans = [
        ((job.folder / "manifest.json").stat().st_mtime - (job.folder / "log.txt").stat().st_mtime)
        for job in jobs
    ]
    work = sum(spans)
    print(
        f"{kind}: {n} trials of {work / n:.1f} s on {slots} slots took {wall:.1f} s; "
        f"beside the work {slots * wall - work:.1f} s, {100 * (slots * wall / work - 1):.2f} %"
    )


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        int(sys.argv[2]) if len(sys.argv) > 2 else 40,
        sys.argv[3] if len(sys.argv) > 3 else "local",
    )
