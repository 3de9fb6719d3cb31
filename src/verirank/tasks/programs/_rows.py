"""Rows of MBPP, HumanEval and sets like them: what is asked, and the tests of an answer."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from verirank.config import InputError
from verirank.tasks._conversation import RowError
from verirank.tasks._problem import Problem
from verirank.tasks._values import id_in, prompt_in
from verirank.tasks.data_files import Row
from verirank.tasks.programs._asserts import asserts_when_run

_ASKED = ("prompt", "text", "problem", "question")
_IDS = ("task_id", "id")
_TOLD = 5


@dataclass(frozen=True, slots=True)
class TestedProblem:
    """The tests of a problem.

    `tests` are executed one after the other behind `setup`; where there is an `entry_point` and the
    tests define `check`, it is called with the answer's function of that name. `before` is the
    beginning of the program that an answer goes on with or repeats.
    """

    tests: tuple[str, ...]
    setup: str = ""
    before: str = ""
    entry_point: str = ""


def program_problems(rows: Iterable[Row], source: str) -> list[Problem]:
    """Return the problems of rows; the answer of each is its tests as JSON.

    Args:
        rows: with `prompt` or `text`, and with `test_list` (MBPP), or `test` and perhaps
            `entry_point` (HumanEval).
        source: what an error names.

    Raises:
        InputError: rows cannot be used, of which the first five are told; or two have one id.
    """
    problems: dict[str, Problem] = {}
    faults: list[str] = []
    for number, row in rows:
        try:
            problem = _problem(number, row)
            if problem.id in problems:
                raise RowError(f"the id {problem.id!r} stands in an earlier row too")
            problems[problem.id] = problem
        except RowError as error:
            faults.append(f"{source}:{number}: {error}")
    if faults:
        more = f"; and {len(faults) - _TOLD} more" if len(faults) > _TOLD else ""
        raise InputError(
            f"{len(faults)} rows cannot be used as problems with tests: "
            f"{'; '.join(faults[:_TOLD])}{more}"
        )
    return list(problems.values())


def _problem(number: int, row: Mapping[str, Any] | str) -> Problem:
    if isinstance(row, str):
        raise RowError(row)
    asked = prompt_in(row, _column(row, _ASKED))
    if not isinstance(asked, str):
        raise RowError("the prompt of a program is text, not a conversation")
    key = next((name for name in _IDS if row.get(name) is not None), None)
    tested = _tested(row, asked)
    return Problem(
        id=str(number) if key is None else id_in(row, key),
        prompt=_question(asked, tested),
        answer=json.dumps(asdict(tested)),
    )


def _tested(row: Mapping[str, Any], asked: str) -> TestedProblem:
    if row.get("test_list") is not None:
        setup = [*_texts(row, "test_imports"), *_texts(row, "test_setup_code")]
        tested = TestedProblem(tuple(_texts(row, "test_list")), "\n".join(setup))
    else:
        entry_point = str(row.get("entry_point") or "")
        before = asked if entry_point and _parses(asked) else ""
        tests = tuple(_texts(row, _column(row, ("test", "tests"))))
        tested = TestedProblem(tests, before=before, entry_point=entry_point)
    for part in (*tested.tests, tested.setup):
        if not _parses(part):
            raise RowError(f"a test is not Python: {part[:60]!r}")
    if not asserts_when_run([tested.setup, *tested.tests], has_check=bool(tested.entry_point)):
        raise RowError(
            "the tests assert nothing when they run, so that every answer would pass them: an "
            "assert must stand at module level, in a function called there, or in `check` beside "
            "an `entry_point`"
        )
    return tested


def _question(asked: str, tested: TestedProblem) -> str:
    """Return what is asked: a beginning is to be completed, else the first test shows the name."""
    if tested.before:
        return f"Complete this function:\n```python\n{asked.rstrip()}\n```"
    if tested.entry_point:
        return f"{asked.strip()}\nThe function is called `{tested.entry_point}`."
    return f"{asked.strip()}\nYour code should pass this test:\n{tested.tests[0]}"


def _texts(row: Mapping[str, Any], column: str) -> list[str]:
    """Return the texts of a list, or a text as a list of one; nothing where there is none."""
    value = row.get(column) or []
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise RowError(f"{column!r} must be text or a list of texts")
    return texts


def _column(row: Mapping[str, Any], names: tuple[str, ...]) -> str:
    held = next((name for name in names if row.get(name)), None)
    if held is None:
        known = ", ".join(map(repr, row)) or "nothing"
        raise RowError(f"the row lacks {' or '.join(map(repr, names))}; it has {known}")
    return held


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
