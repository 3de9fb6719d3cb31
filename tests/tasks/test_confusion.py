import json

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from verirank.cli.data_command import command
from verirank.config import VerifierConfig
from verirank.tasks import Problem, find_confusion, read_bench
from verirank.tasks.golds._rewritings import rewritings
from verirank.verifier import Verifier

SIX = ("aime24", "aime25", "amc23", "hmmt25", "math-500", "minerva")


@pytest.fixture(scope="module")
def verifier():
    with Verifier(VerifierConfig(deadline_seconds=5)) as verifier:
        yield verifier


@pytest.mark.parametrize(
    "bench", ["aime24", *(pytest.param(bench, marks=pytest.mark.thorough) for bench in SIX[1:])]
)
def test_every_answer_of_a_bench_verifies_in_all_notations_and_none_as_its_neighbour(
    bench, data_dir, verifier
):
    found = find_confusion(read_bench(bench, data_dir), verifier)
    assert found.misjudgements == ()
    assert found.self_right == found.golds
    assert found.rewritings_right == found.rewritings >= 10 * found.golds
    assert found.neighbours > 0


@pytest.mark.parametrize("bench", SIX)
def test_every_answer_of_a_bench_has_ten_other_notations(bench, data_dir):
    for problem in read_bench(bench, data_dir):
        assert len(list(rewritings(problem.answer))) >= 10, problem


def test_the_command_prints_a_row_for_each_bench(data_dir):
    arguments = ["confusion", "--bench", "aime24", "--data-dir", data_dir]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.output.splitlines()[2].startswith("| aime24 | 30 | 30 |")
    done = CliRunner().invoke(command, [*arguments, "--json"], catch_exceptions=False)
    row = json.loads(done.output)["aime24"]
    assert (row["golds"], row["self_right"], row["neighbours_accepted"]) == (30, 30, 0)


def test_a_wrong_verdict_is_counted_and_named(verifier):
    unreadable = Problem("a", "?", r"\begin{blob} 1")
    found = find_confusion([unreadable, Problem("b", "?", "7"), Problem("c", "?", "7.0")], verifier)
    assert found.neighbours_accepted == 2
    assert {(wrong.problem, wrong.kind) for wrong in found.misjudgements} >= {
        ("b", "neighbour"),
        ("c", "neighbour"),
    }


@given(st.integers(-(10**9), 10**9))
def test_every_notation_of_an_integer_is_another_text_with_its_digits(number):
    for name, other in rewritings(str(number)):
        assert other != str(number)
        digits = "".join(filter(str.isdigit, other))
        assert digits.startswith(str(abs(number))), name


@pytest.mark.parametrize(
    ("answer", "name", "other"),
    [
        (r"\frac{3}{4}", "frac to a/b", "3/4"),
        ("3/4", "a/b to frac", r"\frac{3}{4}"),
        (r"\frac34", "braces in frac", r"\frac{3}{4}"),
        (r"\frac{3}{4}", "dfrac", r"\dfrac{3}{4}"),
        ("12345", "thousands comma", "12,345"),
        (r"10,\!080", "thousands comma", "10,080"),
        ("4.5e33", "power of ten with times", r"4.5 \times 10^{33}"),
        (r"90^\circ", "degrees left out", "90"),
        (".5", "leading zero", "0.5"),
        ("(3,4]", "automatic brackets", r"\left(3,4\right]"),
        ("7", "unit in text", r"7 \text{ cm}"),
        (r"11\sqrt2", "braces under a root", r"11\sqrt{2}"),
    ],
)
def test_notations_are_written_as_their_names_say(answer, name, other):
    assert dict(rewritings(answer))[name] == other


@pytest.mark.parametrize(
    ("answer", "name"),
    [("999", "thousands comma"), (r"\pi", "unit in text"), ("4.5e33", "spaces around + and =")],
)
def test_a_notation_that_does_not_apply_is_left_out(answer, name):
    assert name not in dict(rewritings(answer))
