import pytest

from verirank.tasks._answer_formats import read_answer


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("He pays 3 times 5 dollars, so 15 dollars.", "15"),
        ("The total is 1,250.", "1250"),
        ("so x = -3.5", "-3.5"),
        ("that leaves 3/4 of it", "3/4"),
        ("from 2010-2015 there were 12", "12"),
        ("I do not know", None),
    ],
)
def test_number_reads_the_last_number(completion, answer):
    assert read_answer(completion, "number") == answer


def test_boxed_reads_the_last_box():
    assert read_answer(r"\boxed{1} no: \boxed{2}", "boxed") == "2"


@pytest.mark.parametrize("form", ["text", "free"])
def test_text_and_free_read_the_whole_completion(form):
    assert read_answer(" Paris\n", form) == "Paris"
    assert read_answer(" \n", form) is None
