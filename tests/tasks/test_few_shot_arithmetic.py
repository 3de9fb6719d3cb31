import re
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verirank.config import InputError, TaskConfig
from verirank.tasks import load_task
from verirank.tasks.few_shot_arithmetic import (
    FamilyName,
    FewShotArithmetic,
    FewShotArithmeticConfig,
)

FAMILIES = get_args(FamilyName)
TASKS = {name: FewShotArithmetic(FewShotArithmeticConfig(family=name)) for name in FAMILIES}
HELD_OUT = {
    name: {p.id for bench in task.benches for p in task.bench(bench, 10_000)}
    for name, task in TASKS.items()
}
families = st.sampled_from(FAMILIES)


def questions(prompt: str) -> list[tuple[str, str]]:
    return re.findall(r"Question: (.*)\nAnswer:(.*)", prompt)


def operands(question: str) -> tuple[int, ...]:
    return tuple(sorted(int(number) for number in re.findall(r"\d+", question)))


@settings(max_examples=2000, deadline=None)
@given(families, st.integers(0, 2**40), st.integers(0, 10**9))
def test_training_problems_are_never_in_a_bench(family, seed, index):
    assert TASKS[family].training_problem(seed, index).id not in HELD_OUT[family]


@pytest.mark.parametrize("family", FAMILIES)
def test_benches_are_filled_and_share_no_sum_in_either_order(family):
    test, selection = (TASKS[family].bench(name, 10_000) for name in ("test", "selection"))
    asked = [{operands(questions(p.prompt)[-1][0]) for p in bench} for bench in (test, selection)]
    assert test
    assert selection
    assert asked[0].isdisjoint(asked[1])


@pytest.mark.parametrize("family", FAMILIES)
def test_shown_examples_are_other_training_problems_with_right_answers(family):
    task = TASKS[family]
    asked = [task.training_problem(0, i) for i in range(3000)] + [*task.bench("test", 300)]
    answers = {}
    held_out = {operands(i) for i in HELD_OUT[family]}
    for problem in asked:
        *shown, (question, _) = questions(problem.prompt)
        assert len(shown) == 4
        assert len({text for text, _ in shown}) == 4
        assert operands(question) not in {operands(text) for text, _ in shown}
        for text, answer in shown:
            assert operands(text) not in held_out
            assert answers.setdefault(text, int(answer)) == int(answer)
    assert all(
        answers.get(questions(p.prompt)[-1][0], int(p.answer)) == int(p.answer) for p in asked
    )


def test_the_answers_are_the_sums_asked():
    for family, sign in [
        ("two-digit-addition", "+"),
        ("small-subtraction", "-"),
        ("two-digit-times-one-digit", "*"),
        ("one-digit-addition", "+"),
    ]:
        problem = TASKS[family].training_problem(1, 2)
        a, b = re.findall(r"\d+", questions(problem.prompt)[-1][0])
        right = {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b)}[sign]
        assert problem.answer == str(right)


@given(families, st.integers(0, 2**40), st.integers(0, 10**9))
def test_the_stream_is_decided_by_seed_and_index(family, seed, index):
    fresh = load_task(FewShotArithmeticConfig(family=family))
    task = TASKS[family]
    assert task.training_problem(seed, index) == fresh.training_problem(seed, index)


def test_seeds_give_different_streams():
    streams = [[TASKS["remainder"].training_problem(s, i) for i in range(20)] for s in (0, 1)]
    assert streams[0] != streams[1]


def test_a_bench_gives_the_same_problems_at_every_call_and_a_prefix_for_a_smaller_n():
    task = TASKS["two-digit-addition"]
    assert task.bench("test", 50) == task.bench("test", 50)
    assert task.bench("test", 10) == task.bench("test", 50)[:10]


def test_an_unknown_bench_is_an_input_error():
    with pytest.raises(InputError, match=r"no bench 'ood'; it has test, selection$"):
        TASKS["remainder"].bench("ood", 1)


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        (" 52\n\nQuestion:", "52"),
        ("52", "52"),
        (" -3.\n", "-3"),
        (" 52 .", "52"),
        (" 52..", None),
        (" 52.0", None),
        (" 5 2", None),
        (" 52 apples", None),
        (" 50 + 2 = 52", None),
        ("\n52", None),
        ("", None),
        ("٥٢", None),
    ],
)
def test_only_a_first_line_that_is_the_number_is_an_answer(completion, answer):
    assert TASKS["remainder"].extract(completion) == answer


def test_load_task_gives_the_default_family_to_a_bare_name():
    task = load_task(TaskConfig(name="few-shot-arithmetic"))
    assert task.config.family == "two-digit-addition"
    assert task.max_new_tokens == 6
    assert task.stop == "\n"
