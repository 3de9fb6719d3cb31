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


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        (r"<think>12+7=19;19*3=57</think>\boxed{57}", "57"),
        (r"\boxed{57}", "57"),
        (r"<think>12+7=19\boxed{19}", None),
        (r"<think>1</think><think>12+7=19\boxed{19}", None),
        (r"<think>\boxed{19}</think>", None),
    ],
)
def test_an_answer_in_a_thought_that_is_not_closed_is_no_final_answer(completion, answer):
    assert load_task(TaskConfig()).extract(completion) == answer
