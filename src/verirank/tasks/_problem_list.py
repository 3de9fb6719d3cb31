"""From the rows of a data set to its problems, with every faulty row told at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from verirank.config import InputError
from verirank.tasks._columns import Columns, FoundColumns, find_columns
from verirank.tasks._conversation import NoAnswerError, RowError, ends_with_an_answer
from verirank.tasks._problem import Problem
from verirank.tasks._values import answer_in, cell, group_in, id_in, level_in, prompt_in
from verirank.tasks.data_files import Row

_TOLD = 5
OnRemark = Callable[[str], None]
"""Called with each sentence that a user should read about a data set."""


def to_stderr(said: str) -> None:
    """Print a remark where nobody else listens."""
    print(said, file=sys.stderr)


def problems_of(
    rows: Iterable[Row], columns: Columns, source: str, on_remark: OnRemark = to_stderr
) -> list[Problem]:
    """Return the problems of a data set's rows, in their order.

    A row that repeats id, problem and answer of an earlier one is left out, and so are rows whose
    answer lacks the form that most others have.

    Args:
        rows: numbered rows.
        columns: where in a row its values stand.
        source: what an error names: a file or a data set.
        on_remark: called with what a user should know of the columns and rows.

    Raises:
        InputError: rows cannot be used, of which the first five are told; a column is not there;
            or no row is left.
    """
    kept = list(rows)
    values = [row for _, row in kept if not isinstance(row, str)]
    resolved = find_columns(values, columns, source, on_remark) if values else None
    problems: dict[str, Problem] = {}
    faults: list[str] = []
    unanswered: list[str] = []
    repeated = 0
    for number, row in kept:
        try:
            read = _read(number, row, columns, resolved)
        except NoAnswerError as error:
            unanswered.append(f"{source}:{number}: {error}")
            continue
        if isinstance(read, Problem) and read.id in problems:
            same = read == problems[read.id]
            repeated += same
            read = None if same else f"the id {read.id!r} stands in an earlier row too"
        if isinstance(read, Problem):
            problems[read.id] = read
        elif read is not None:
            faults.append(f"{source}:{number}: {read}")
    # Where most answers lack the form, it is the form that is wrong.
    if len(unanswered) > len(problems):
        faults += unanswered
    elif unanswered:
        on_remark(f"{len(unanswered)} of {len(kept)} rows are left out: {_some(unanswered)}")
    if faults and columns.faulty == "leave-out":
        on_remark(
            f"{len(faults)} of {len(kept)} rows cannot be used and are left out: {_some(faults)}"
        )
    elif len(faults) == len(kept) > 1:
        raise InputError(
            f"none of the {len(kept)} rows of {source} can be used: {_some(_alike(faults))}"
        )
    elif faults:
        raise InputError(
            f"{len(faults)} of {len(kept)} rows cannot be used: {_some(faults)}. Mend them, or "
            "leave them out with --set task.columns.faulty=leave-out"
        )
    if repeated:
        on_remark(f"{source}: {repeated} rows repeat an earlier one and are left out")
    if resolved and (
        cut := sum(ends_with_an_answer(cell(row, resolved.problem)) for row in values)
    ):
        on_remark(f"{source}: {cut} conversations end with the assistant's turn, which is left out")
    if not problems:
        of_levels = f" of levels {', '.join(map(str, columns.levels))}" if columns.levels else ""
        raise InputError(f"{source} holds no problems{of_levels}")
    return list(problems.values())


def _read(
    number: int, row: dict[str, Any] | str, columns: Columns, resolved: FoundColumns | None
) -> Problem | str | None:
    """Return a row's problem, why it has none, or None where its level is not wanted."""
    if isinstance(row, str) or resolved is None:
        return str(row)
    try:
        if columns.levels and level_in(row, resolved.level) not in columns.levels:
            return None
        prompt = prompt_in(row, resolved.problem)
        turns = () if isinstance(prompt, str) else prompt
        return Problem(
            id=id_in(row, resolved.id) if resolved.id else str(number),
            prompt=prompt if isinstance(prompt, str) else prompt[-1].content,
            answer=answer_in(row, resolved.answer, resolved.answer_form),
            turns=turns,
            group=group_in(row, resolved.group),
        )
    except NoAnswerError:
        raise
    except RowError as error:
        return str(error)


def _alike(faults: list[str]) -> list[str]:
    """Return the one fault that all rows have, or the faults as they are."""
    reasons = {fault.partition(": ")[2] for fault in faults}
    return sorted(reasons) if len(reasons) == 1 else faults


def _some(faults: list[str]) -> str:
    more = [f"and {len(faults) - _TOLD} more"] if len(faults) > _TOLD else []
    return "; ".join([*faults[:_TOLD], *more])
