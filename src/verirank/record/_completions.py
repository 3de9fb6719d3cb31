"""Reading a run's completions: a row each, with prompt, gold answer, text and reward."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from verirank.config import InputError
from verirank.record._files import PARTIAL, join_parquet, read_parquet
from verirank.record._run import Run

_ROLLOUT = pa.schema(
    {
        "step": pa.int64(),
        "problem": pa.string(),
        "prompt": pa.string(),
        "gold": pa.string(),
        "completion": pa.string(),
        "reward": pa.float64(),
        "components": pa.map_(pa.string(), pa.float64()),
        "advantage": pa.float64(),
        "reason": pa.string(),
        "length": pa.int64(),
        "own": pa.string(),
        "truncated": pa.bool_(),
        "seed": pa.int64(),
    }
)

Completion = dict[str, Any]
"""A row of a rollout or sample file, by column name."""


def read_rollouts(run: Run, step: int) -> list[Completion]:
    """Return the completions of a training step, group after group.

    Raises:
        InputError: the run has no completions of that step on disk.
    """
    rollouts = read_all_rollouts(run)
    rows = [row for row in rollouts if row["step"] == step]
    if not rows:
        steps = sorted({row["step"] for row in rollouts})
        available = f"steps {steps[0]} to {steps[-1]}" if steps else "no steps"
        raise InputError(f"{run.folder} has no completions of step {step}; it has {available}")
    return rows


def read_all_rollouts(run: Run) -> list[Completion]:
    """Return the completions of all training steps, in order."""
    return [row for file in rollout_files(run) for row in read_parquet(file).to_pylist()]


def rollout_steps(run: Run) -> list[int]:
    """Return the training steps whose completions are on disk, as the file names state them."""
    return [step for file in rollout_files(run) for step in steps_in(file)]


def read_bench_completions(run: Run, bench: str) -> list[Completion]:
    """Return a bench's samples from before and after training.

    Raises:
        InputError: the run was not evaluated on the bench.
    """
    if bench not in run.benches:
        available = ", ".join(run.benches) or "none"
        raise InputError(f"{run.folder} has no samples of bench {bench!r}; it has {available}")
    rows = read_parquet(run.bench_file(bench)).to_pylist()
    return [row | {"reward": float(bool(row["correct"]))} for row in rows]


def rollout_files(run: Run) -> list[Path]:
    """Return the files of a run's training completions, in the order of their steps.

    Steps up to the last checkpoint are joined in `steps-FIRST-LAST`, each later one is a `step-N`;
    of a step that is in both, because a process was killed while it joined them, the former counts.
    """
    folder = run.folder / "rollouts"
    joined = sorted(folder.glob("steps-*.parquet"))
    until = steps_in(joined[-1])[-1] if joined else 0
    single = sorted(folder.glob("step-*.parquet"))
    return [*joined, *(file for file in single if steps_in(file)[0] > until)]


def write_rollouts(run: Run, step: int, rows: list[Completion]) -> None:
    """Write the completions of a step, a row each, into a file of its own for the time being.

    It need not outlast a loss of power: before the next checkpoint the step would be repeated.
    """
    path = run.folder / "rollouts" / f"step-{step:06d}.parquet"
    path.parent.mkdir(exist_ok=True)
    scratch = path.with_name(f".{path.name}{PARTIAL}")
    pq.write_table(pa.Table.from_pylist(rows, schema=_ROLLOUT), scratch)
    scratch.replace(path)


def join_rollouts(run: Run) -> None:
    """Join the files of single steps into one that lasts, with one step in memory at a time."""
    files = sorted((run.folder / "rollouts").glob("step-*.parquet"))
    if files:
        first, last = (file.stem.removeprefix("step-") for file in (files[0], files[-1]))
        join_parquet(files, run.folder / "rollouts" / f"steps-{first}-{last}.parquet")
    for file in files:
        file.unlink()


def steps_in(file: Path) -> range:
    """Return the steps of a file of completions, as its name states them."""
    first, *last = map(int, file.stem.split("-")[1:])
    return range(first, (last or [first])[0] + 1)
