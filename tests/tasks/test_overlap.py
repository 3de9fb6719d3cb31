import json
import time

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from verirank.cli.data_command import command
from verirank.tasks import Problem, find_overlap

WORDS = st.lists(st.sampled_from("abcdefghij"), min_size=8, max_size=40)


def problem(words: list[str], name: str = "p") -> Problem:
    return Problem(name, " ".join(words), "1")


@pytest.mark.parametrize(
    ("bench", "n", "found"),
    [
        ("aime24", 30, 0),
        ("aime25", 30, 0),
        ("amc23", 40, 25),
        ("hmmt25", 30, 0),
        ("math-500", 500, 25),
        ("minerva", 272, 0),
    ],
)
def test_dapo_math_17k_holds_25_problems_of_amc23_and_of_math_500_and_none_of_the_others(
    bench, n, found, data_dir
):
    arguments = ["overlap", "--train", "dapo-math-17k", "--bench", bench, "--data-dir", data_dir]
    start = time.perf_counter()
    done = CliRunner().invoke(command, [*arguments, "--json"], catch_exceptions=False)
    assert time.perf_counter() - start < 20
    row = json.loads(done.output)
    assert set(row) == {"train", "bench", "n", "exact", "ngram", "ids"}
    assert (row["train"], row["bench"], row["n"]) == ("dapo-math-17k", bench, n)
    assert row["ngram"] == len(row["ids"]) == found


@given(WORDS)
def test_a_problem_overlaps_with_itself_whatever_its_case_and_punctuation(words):
    other = Problem("q", " , ".join(words).upper() + "!", "1")
    found = find_overlap([problem(words)], [other])
    assert (found.exact, found.ngram, found.ids) == (1, 1, ("q",))


@given(st.integers(16, 40), st.integers(0, 40))
def test_half_of_the_8_grams_in_one_training_problem_is_enough(length, kept):
    words = [f"w{i}" for i in range(length)]
    shared = [*words[:kept], *(f"x{i}" for i in range(30))]
    grams, held = length - 7, max(0, min(kept, length) - 7)
    found = find_overlap([problem(shared)], [problem(words)])
    assert found.ngram == (2 * held >= grams)


def test_halves_in_two_training_problems_do_not_add_up():
    words = [f"w{i}" for i in range(30)]
    train = [problem(words[:15]), problem(words[15:])]
    assert find_overlap(train, [problem(words)]).ids == ()


def test_a_problem_too_short_for_an_8_gram_counts_only_where_all_words_are_the_same():
    short = Problem("q", "What is 1+1?", "2")
    assert find_overlap([Problem("t", "what is $1+1$", "2")], [short]).ids == ("q",)
    assert find_overlap([Problem("t", "what is 1+2", "3")], [short]).ids == ()


def test_ids_keep_the_order_of_the_bench():
    bench = [Problem(str(i), f"same words {i} " * 8, "1") for i in range(5)]
    found = find_overlap(bench[::-2], bench)
    assert found.ids == ("0", "2", "4")
