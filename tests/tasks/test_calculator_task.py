"""The calculator, and the task that has it at hand."""

from __future__ import annotations

from fractions import Fraction

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from verirank.cli.tasks_command import command
from verirank.config import InputError, resolve
from verirank.integrations.trl import reward_function
from verirank.tasks import Task, load_task
from verirank.tasks.calculator import calculate, call_in
from verirank.verifier import Verifier

NUMBERS = st.integers(-(10**6), 10**6)


def task(**settings: int) -> Task:
    return load_task(resolve({"task": {"name": "calculator", **settings}}).task)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("12+7", "19"),
        ("(12 + 7) * 3 - 5", "52"),
        ("0.1+0.2", "0.3"),
        ("-1/4", "-0.25"),
        ("1/3", "1/3"),
        ("99999999*9999999", "999999890000001"),
    ],
)
def test_values_are_exact(expression: str, value: str) -> None:
    assert calculate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        *(
            "5",
            "",
            "2+",
            "1/0",
            "9**9",
            "9//2",
            "1<2",
            "a+1",
            "f(1)+1",
            "[1]+[2]",
            "'a'*9",
            "1e9+1",
        ),
        *("10*999999999999999", "1/999999999999999/9", "1+" * 40 + "1", "(" * 31 + "1+1", "1_0+1"),
        *("True+1", "0x10+1", "1if 1else 2", "(1,2)+(3,)", "1j*1j"),
    ],
)
def test_what_is_no_arithmetic_or_leaves_the_bounds_has_no_value(expression: str) -> None:
    assert calculate(expression) is None


@given(NUMBERS, NUMBERS, NUMBERS)
def test_any_sum_product_and_quotient_is_what_fractions_say(a: int, b: int, c: int) -> None:
    value = calculate(f"({a}+{b})*({c})/7")
    assert value is not None
    assert Fraction(value) == Fraction((a + b) * c, 7)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("so 12 + 7 =", "19"),
        ("2+3=5+4=", "9"),
        ("Step 2. 12+7= ", "19"),
        ("<think>12+7=19;19*3=", "57"),
        ("x = 5 =", None),
        ("12+7", None),
        ("12+7= 3", None),
    ],
)
def test_a_call_is_an_expression_before_an_equals_sign(text: str, value: str | None) -> None:
    assert call_in(text) == value


def test_the_calculator_replies_as_often_as_it_may() -> None:
    twice = task(turns=2)
    assert [twice.reply("12+7=", turn) for turn in range(3)] == ["19", "19", None]
    assert twice.reply("x=", 0) == ""
    assert twice.reply_tokens == 2 * 32


def test_splits_are_kept_apart_and_longer_out_of_distribution() -> None:
    calculator = task()
    train = {calculator.training_problem(0, index).prompt for index in range(200)}
    benches = {name: {p.prompt for p in calculator.bench(name, 50)} for name in calculator.benches}
    assert not any(train & asked for asked in benches.values())
    assert not benches["test"] & benches["selection"]

    def operations(prompt: str) -> int:
        return sum(prompt.count(operator) for operator in "+-*")

    assert {operations(prompt) for prompt in benches["ood"]} == {6}
    assert {operations(prompt) for prompt in train | benches["test"]} == {4, 5}
    with pytest.raises(InputError, match="no bench 'none'; it has test, ood, selection"):
        calculator.bench("none", 1)


def test_the_last_box_behind_the_thoughts_is_the_answer() -> None:
    assert task().extract(r"<think>12+7=19</think>\boxed{19}") == "19"
    assert task().extract(r"<think>12+7=19 \boxed{19}") is None


def test_tasks_show_tells_of_the_calculator() -> None:
    output = CliRunner().invoke(command, ["show", "calculator"], catch_exceptions=False).output
    assert "note: behind an expression and = a calculator writes the value, 12 times" in output


def test_trl_which_draws_by_itself_is_refused(verifier: Verifier) -> None:
    with pytest.raises(InputError, match="without the replies of 'calculator'"):
        reward_function(task(), verifier)


@pytest.fixture
def verifier():
    with Verifier(resolve({}).verifier) as opened:
        yield opened
