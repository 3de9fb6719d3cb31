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
