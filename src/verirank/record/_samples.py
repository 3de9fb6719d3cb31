"""Evaluation samples as tables, refused where a sample is missing or counted twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from verirank.record._files import read_parquet, write_parquet


class SamplesIncompleteError(ValueError):
    """A stage is absent, or a sample is missing, double or not judged: nothing may be scored."""


def write_samples(path: Path, tables: Sequence[pa.Table]) -> None:
    """Write samples of one or more stages as one Parquet file.

    A column that some lack, because they were taken by an earlier version, is null there.
    """
    write_parquet(path, pa.concat_tables(tables, promote_options="default"))


def read_samples(path: Path, stage: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read the samples of one stage, `before` or `after` training; all columns or some."""
    return read_stages(path, [stage], columns)[0]


def read_stages(
    path: Path,
    stages: Sequence[str],
    columns: Sequence[str] | None = None,
    optional: Sequence[str] = (),
) -> list[pa.Table]:
    """Read the samples of some stages at once; all columns or some, and optional ones if there.

    Raises:
        SamplesIncompleteError: the file has no such column.
    """
    wanted = None if columns is None else ["stage", *columns]
    if wanted and optional:
        wanted += set(optional).intersection(pq.read_schema(path).names)
    table = read_parquet(path, wanted)
    if missing := set(wanted or ()).difference(table.column_names):
        raise SamplesIncompleteError(f"{path.name} lacks {', '.join(sorted(missing))}")
    return [table.filter(pc.equal(table["stage"], stage)) for stage in stages]  # type: ignore[reportAttributeAccessIssue]


def problem_ids(samples: pa.Table) -> tuple[str, ...]:
    """Return the problems of a stage's samples, in the order of `correct_PK`."""
    return tuple(sorted(samples["problem"].unique().to_pylist()))


def problem_groups(samples: pa.Table) -> tuple[str, ...] | None:
    """Return the group of each problem, in the order of `correct_PK`; None where none has one.

    A problem without a group among others with one is a group of its own.
    """
    if "group" not in samples.column_names or samples["group"].null_count == len(samples):
        return None
    rows = zip(samples["problem"].to_pylist(), samples["group"].to_pylist(), strict=True)
    groups = dict(rows)
    named = ((problem, groups[problem]) for problem in problem_ids(samples))
    return tuple(f"alone: {problem}" if group is None else group for problem, group in named)


def correct_PK(samples: pa.Table) -> NDArray[np.bool_]:
    """Return which samples of one stage are right, P problems x K samples.

    Raises:
        SamplesIncompleteError: not every problem has each of its K samples once and judged.
    """
    if len(samples) == 0:
        raise SamplesIncompleteError("no samples")
    problems, k = problem_ids(samples), _samples_a_problem(samples)
    # Dictionary codes count problems as they come; a problem's row is that of its name in order.
    codes = samples["problem"].combine_chunks().dictionary_encode()
    row = {name: number for number, name in enumerate(problems)}
    row_of_code = np.array([row[name] for name in codes.dictionary.to_pylist()])
    cell_N = row_of_code[codes.indices.to_numpy()] * k + samples["sample"].to_numpy()
    whole = (
        len(samples) == len(problems) * k
        and samples["correct"].null_count == 0
        and bool((np.bincount(cell_N, minlength=len(cell_N)) == 1).all())
    )
    if not whole:
        raise SamplesIncompleteError(
            f"{len(samples)} samples, expected {len(problems)} problems x {k}, each once and judged"
        )
    correct_N = np.empty(len(samples), dtype=np.bool_)
    correct_N[cell_N] = samples["correct"].to_numpy(zero_copy_only=False)
    return correct_N.reshape(len(problems), k)


def votes_PK(samples: pa.Table) -> list[list[int | None]]:
    """Return which answer each sample states, None for none, in the order of `correct_PK`."""
    rows = _ordered(samples)
    votes, k = rows["vote"].to_pylist(), _samples_a_problem(rows)
    return [votes[start : start + k] for start in range(0, len(votes), k)]


def _ordered(samples: pa.Table) -> pa.Table:
    if len(samples) == 0:
        raise SamplesIncompleteError("no samples")
    return samples.sort_by([("problem", "ascending"), ("sample", "ascending")])


def _samples_a_problem(rows: pa.Table) -> int:
    return 1 + int(rows["sample"].to_numpy().max())
