import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verirank.tasks._boxed import stated_answer

PIECES = [
    *(
        "\\boxed",
        "\\boxed{",
        "\\fbox{42}",
        "{",
        "}",
        "\\{",
        "\\",
        "$",
        "$$",
        "\\[",
        "\\]",
        "answer",
    ),
    *(
        "The answer is",
        "**Answer**:",
        "<answer>",
        "</answer>",
        "42",
        " ",
        "\n",
        ".",
        "-",
        "*",
        "x",
        "\ud800",
    ),
]


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{42}",
        r"\boxed {42}",
        r"\boxed 42",
        r"so $\boxed 42$",
        r"\fbox{42}",
        "**Answer**: 42",
        "The answer is:\n$$ 42 $$",
        "The answer is:\n\\[ 42 \\]",
        "The answer is 42.",
        "The final answer is $$42$$ as shown.",
        "**Answer:** 42",
        "### Final Answer\n\n42",
        "The answer is 42. I hope it is correct.",
        "Six times seven.\n#### 42",
        "The answer is 41? No.\n#### 42\n",
        "The answer is 41. No: the answer is 42. The answer is",
        "<answer> 42 </answer>",
        "答案是 42",
        "\\boxed{41}, or rather \\fbox{42}",
        "\\boxed{42}. I put it within \\boxed{}.",
    ],
)
def test_the_final_answer_is_read_in_each_common_form(text):
    assert stated_answer(text) == "42"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so it is $\boxed 2$", "2"),
        (r"$\boxed\frac12$.", r"\frac12"),
        (r"$\boxed -3\sqrt{2}$ and $x$", r"-3\sqrt{2}"),
        ("\\boxed 7 of them\nfor $x$", "7"),
        ("The answer is St. Louis.", "St. Louis"),
        ("The answer is 7.\n#### 3. Check\nIt holds.", "7"),
        ("The answer is 7.\n#### 3 checks", "7"),
        ("The answer is 3.5 metres. Done.", "3.5 metres"),
    ],
)
def test_a_box_without_braces_and_a_sentence_end_where_they_should(text, answer):
    assert stated_answer(text) == answer


def test_an_empty_box_states_no_answer():
    assert stated_answer(r"\boxed{}") is None


@pytest.mark.parametrize(
    "piece",
    [
        "\\boxed{",
        "\\boxed ",
        "answer: ",
        "answer: $$",
        "answer: \\[",
        "<answer>",
        "</answer>",
        "{",
        "* ",
    ],
)
def test_an_answer_is_looked_for_in_little_time_however_often_one_is_begun(piece):
    start = time.process_time()
    stated_answer("The answer is 4.\n" + piece * (100_000 // len(piece)))
    assert time.process_time() - start < 1


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_no_text_breaks_the_search_for_an_answer(text):
    answer = stated_answer(text)
    assert answer is None or answer.strip()
