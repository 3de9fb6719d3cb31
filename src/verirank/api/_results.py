"""What runs left on disk: their tables, and how they compare."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from verirank.config import InputError
from verirank.ranking import Leaderboard, build_leaderboard
from verirank.record import Run, as_row, read_parquet, rollout_files


def open_run(folder: str | Path) -> Run:
    """Open a run's folder.

    Returns:
        The run; `run.scores` holds its scores, `run.config` its settings, `run.manifest` hashes,
        versions and the proof.

    Raises:
        InputError: the folder holds no run.

    Example:
        >>> import verirank
        >>> verirank.open_run("nowhere")
        Traceback (most recent call last):
        ...
        verirank.config.errors.InputError: there is no run nowhere: it does not exist
    """
    return Run.open(Path(folder))


def compare(runs: Iterable[Run | str | Path]) -> Leaderboard:
    """Rank the methods of finished runs on the same task, with ties.

    Args:
        runs: runs, or folders of runs or studies.

    Returns:
        The leaderboard: `.main` holds the rows of the main bench, best first, each with `label`,
        `rank`, `avg_at_k`, its 95 % interval `low` to `high`, and `change` from the base. Runs that
        cannot be ranked are listed in `.not_scored`.

    Raises:
        InputError: no run can be scored, or the runs cannot be compared.

    Example:
        >>> import verirank
        >>> small = {"sampling.problems_per_step": 4, "evaluation.problems": 8}
        >>> runs = [
        ...     verirank.train(out=f"runs/{name}", method=name, steps=2, settings=small)
        ...     for name in ("lora", "ia3")
        ... ]
        >>> board = verirank.compare(runs)
        >>> sorted(row.label for row in board.main)
        ['ia3', 'lora']
    """
    return build_leaderboard([run.folder if isinstance(run, Run) else Path(run) for run in runs])


def read_table(source: Run | Leaderboard | str | Path, name: str = "metrics") -> pa.Table:
    """Read a run's table, or a leaderboard's rows; `.to_pandas()` makes it a DataFrame.

    Args:
        source: a run or its folder, or what `compare` returned.
        name: of a run's tables: `metrics` (a row a step), `rollouts` (a row a training
            completion), or a bench (a row an evaluation sample, before and after training).

    Raises:
        InputError: there is no such table.

    Example:
        >>> import verirank
        >>> small = {"sampling.problems_per_step": 4, "evaluation.problems": 8}
        >>> run = verirank.train(out="runs/lora", steps=2, settings=small)
        >>> verirank.read_table(run)["step"].to_pylist()
        [1, 2]
        >>> verirank.read_table(run, "rollouts").num_rows
        64
    """
    if isinstance(source, Leaderboard):
        return pa.Table.from_pylist([as_row(row) for row in source.rows])
    run = source if isinstance(source, Run) else open_run(source)
    if name == "metrics":
        return pa.Table.from_pylist(run.metrics())
    if name == "rollouts":
        if files := rollout_files(run):
            tables = [read_parquet(file) for file in files]
            return pa.concat_tables(tables, promote_options="default")
    elif name in run.benches:
        return read_parquet(run.bench_file(name))
    known = ", ".join(("metrics", "rollouts", *run.benches))
    raise InputError(f"{run.folder} has no table {name!r}; it has {known}")
