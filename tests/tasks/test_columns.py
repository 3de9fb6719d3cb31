import pytest
from hypothesis import given
from hypothesis import strategies as st

from verirank.config import InputError
from verirank.tasks._columns import Columns, problems_of


def read(row: dict, **columns):
    return problems_of([(1, row)], Columns(**columns), "rows")[0]


def test_columns_are_read_by_the_names_given():
    problem = read({"q": "1+1?", "a": 2, "key": "k"}, problem="q", answer="a", id="key")
    assert (problem.id, problem.prompt, problem.answer) == ("k", "1+1?", "2")


def test_a_dot_leads_into_a_struct():
    row = {"problem": "p", "reward_model": {"ground_truth": "3"}, "extra": {"index": 7}}
    problem = read(row, answer="reward_model.ground_truth", id="extra.index")
    assert (problem.id, problem.answer) == ("7", "3")


def test_a_name_with_a_dot_may_be_that_of_a_column():
    assert read({"id": 1, "problem": "p", "a.b": "3"}, answer="a.b").answer == "3"


def test_without_an_id_column_the_rows_are_numbered():
    rows = [(n, {"problem": f"{n}?", "answer": "1"}) for n in (1, 2)]
    assert [p.id for p in problems_of(rows, Columns(id=""), "rows")] == ["1", "2"]


@pytest.mark.parametrize(
    ("form", "text", "answer"),
    [
        ("value", r" \frac12", r" \frac12"),
        ("boxed", r"so \boxed{1} or \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        ("hashes", "1+1 = <<1+1=2>>2\n#### 2", "2"),
    ],
)
def test_the_answer_is_taken_from_where_its_form_says(form, text, answer):
    row = {"id": 1, "problem": "p", "answer": text}
    assert read(row, answer_form=form).answer == answer


@pytest.mark.parametrize("form", ["boxed", "hashes"])
def test_an_answer_that_lacks_its_form_is_an_input_error(form):
    with pytest.raises(InputError, match="rows:1: 'answer' holds no answer in the form of"):
        read({"id": 1, "problem": "p", "answer": "2"}, answer_form=form)


@given(st.lists(st.integers(1, 5), min_size=1), st.sets(st.integers(1, 5), min_size=1))
def test_only_the_named_levels_are_kept_however_a_level_is_written(found, wanted):
    rows = [
        (n, {"id": n, "problem": "p", "answer": "1", "level": f"Level {level}" if n % 2 else level})
        for n, level in enumerate(found)
    ]
    kept = [str(n) for n, level in enumerate(found) if level in wanted]
    columns = Columns(levels=tuple(wanted))
    if not kept:
        with pytest.raises(InputError, match="rows holds no problems of levels"):
            problems_of(rows, columns, "rows")
        return
    assert [problem.id for problem in problems_of(rows, columns, "rows")] == kept


def test_a_row_without_a_column_is_told_what_it_has():
    with pytest.raises(InputError, match="rows:1: the row lacks 'q'; it has 'problem', 'answer'"):
        read({"problem": "p", "answer": "1"}, problem="q", id="")


def test_whole_numbers_are_written_without_a_decimal_point():
    assert read({"id": 1, "problem": "p", "answer": 27.0}).answer == "27"
