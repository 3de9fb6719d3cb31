import re

import pytest

from verirank.config import InputError, TaskConfig
from verirank.tasks import load_task


def operations(expression: str) -> int:
    return sum(map(expression.count, "+-*"))


def test_ood_chains_are_longer_than_any_of_the_training_stream():
    task = load_task(TaskConfig())
    trained = {operations(task.training_problem(0, i).id) for i in range(200)}
    assert trained == {2, 3}
    assert {operations(problem.id) for problem in task.bench("ood", 50)} == {4}


def test_an_unknown_bench_is_an_input_error_that_lists_the_known_ones():
    with pytest.raises(InputError, match=r"no bench 'best'; it has test, ood, selection$"):
        load_task(TaskConfig()).bench("best", 1)


def first_two_steps(expression: str) -> str:
    """Return a chain's first two operations without the brackets that later ones add."""
    return re.match(r"\d+(?:[-+*]\d+){2}", expression.replace("(", "").replace(")", "")).group()


def test_no_chain_of_the_training_stream_begins_like_one_of_a_bench():
    task = load_task(TaskConfig())
    trained = {first_two_steps(task.training_problem(0, i).id) for i in range(3000)}
    for bench in task.benches:
        asked = {first_two_steps(problem.id) for problem in task.bench(bench, 300)}
        assert len(asked) > 250
        assert not asked & trained
