from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verirank.config import InputError
from verirank.tasks._columns import Columns
from verirank.tasks._problem_list import problems_of


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


SPACED = {" Frage ": "1+1?", "Antwort ": "2", " nr": "7", "level ": "Level 5", " group": "g"}


@pytest.mark.parametrize("spelled", [str, str.strip, str.upper, lambda name: f" {name.strip()} "])
def test_a_column_with_spaces_around_its_name_can_be_chosen(spelled):
    names = {"problem": " Frage ", "answer": "Antwort ", "id": " nr"}
    columns = {what: spelled(name) for what, name in names.items()}
    problem = read(SPACED, **columns, levels=(5,))
    assert (problem.id, problem.prompt, problem.answer) == ("7", "1+1?", "2")
    assert problem.group == "g"


def test_the_very_name_of_a_column_goes_before_those_that_are_like_it():
    row = {"id": 1, "q": "1", "Q": "2", " q": "3", "answer": "4"}
    assert [read(row, problem=name).prompt for name in row if name.lower().strip() == "q"] == [
        *("1", "2", "3")
    ]
    with pytest.raises(InputError, match="the row lacks 'Q '; it has"):
        read(row, problem="Q ")


def test_without_an_id_column_the_rows_are_numbered():
    rows = [(n, {"problem": f"{n}?", "answer": "1"}) for n in (1, 2)]
    assert [p.id for p in problems_of(rows, Columns(id=""), "rows")] == ["1", "2"]


@pytest.mark.parametrize(
    ("form", "text", "answer"),
    [
        ("value", r" \frac12", r"\frac12"),
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


@pytest.mark.parametrize("solution", [r"so \boxed{}", "no box", r"\boxed{2"])
def test_a_row_without_an_answer_is_left_out_and_counted(solution):
    rows = [
        (n, {"problem": f"{n}?", "answer": text})
        for n, text in enumerate([r"\boxed{1}", solution, r"it is $\boxed 3$"], 1)
    ]
    said = []
    problems = problems_of(rows, Columns(id="", answer_form="boxed"), "rows", said.append)
    assert [problem.answer for problem in problems] == ["1", "3"]
    assert said[0].startswith("1 of 3 rows are left out: rows:2: 'answer' holds no")


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


USUAL = [
    ({"question": "p", "answer": "2"}, "question", "answer"),
    ({"Problem": "p", "Answer": "2", "Solution": "long"}, "Problem", "Answer"),
    ({"prompt": "p", "ground_truth": 2}, "prompt", "ground_truth"),
    ({"problem": "p", "solution": r"so \boxed{2}"}, "problem", "solution"),
    ({"query": "p", "final_answer": ["2"]}, "query", "final_answer"),
]


@pytest.mark.parametrize(("row", "problem", "answer"), USUAL)
def test_columns_are_known_by_their_usual_names_and_told(row, problem, answer):
    said = []
    (found,) = problems_of([(1, row)], Columns(), "mine.jsonl", said.append)
    assert (found.id, found.prompt, found.answer) == ("1", "p", "2")
    assert f"the problem is read in {problem!r}, the answer in {answer!r}" in said[0]
    assert said[0].endswith("and the rows are numbered")


def test_of_columns_with_usual_names_the_one_that_most_rows_fill_is_read():
    rows = [(n, {"problem": "p", "answer": None, "solution": "2"}) for n in range(3)]
    assert problems_of(rows, Columns(), "rows")[0].answer == "2"


def test_columns_that_are_not_there_are_told_once_with_those_that_are():
    rows = [(n, {"q": "1+1?", "a": "2"}) for n in range(9)]
    with pytest.raises(InputError, match=r"the rows lack 'problem'.*they have 'q', 'a'"):
        problems_of(rows, Columns(), "mine.jsonl")


VERL = {
    "data_source": "openai/gsm8k",
    "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1+1?"}],
    "reward_model": {"style": "rule", "ground_truth": "2"},
    "extra_info": {"index": 7, "answer": "1+1=2\n#### 2", "question": "1+1?"},
}


def test_verls_rows_are_read_without_a_setting():
    (problem,) = problems_of([(1, VERL)], Columns(), "rows")
    assert (problem.id, problem.prompt, problem.answer) == ("7", "1+1?", "2")
    assert [turn.role for turn in problem.turns] == ["system", "user"]


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (2, "2"),
        (0.5, "0.5"),
        (1e-7, "0.0000001"),
        (Decimal("1.50"), "1.5"),
        (10**20, "1" + 20 * "0"),
        (["2"], "2"),
        ([2], "2"),
        ('["2"]', "2"),
        ("['2']", "2"),
        ("[1, 2]", "[1, 2]"),
        ("so\n#### 1,000", "1,000"),
        (r"\fbox{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"hence $\boxed{3}$.", "3"),
    ],
)
def test_an_answer_is_read_however_it_is_written(value, answer):
    assert read({"problem": "p", "answer": value}).answer == answer


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"problem": "p", "answer": None}, "'answer' is null"),
        ({"problem": "p", "answer": " "}, "'answer' is empty"),
        ({"problem": "p", "answer": float("nan")}, "'answer' is nan, not a finite number"),
        ({"problem": "p", "answer": float("inf")}, "'answer' is inf, not a finite number"),
        ({"problem": "p", "answer": Decimal("NaN")}, "'answer' is NaN, not a finite number"),
        ({"problem": "p", "answer": ["1", "2"]}, "'answer' holds 2 answers, not one"),
        ({"problem": "p", "answer": []}, "'answer' holds 0 answers"),
        (
            {"problem": "p", "answer": {"value": 1}},
            "is a struct; name one of its columns: answer.v",
        ),
        ({"problem": "p", "answer": True}, "'answer' must be text, not True"),
        ({"problem": "\ud800", "answer": "1"}, "'problem' holds half of a character"),
        ({"problem": ["p"], "answer": "1"}, "'problem' must be text or a conversation"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(row, fault):
    with pytest.raises(InputError, match=f"1 of 1 rows cannot be used: rows:1: .*{fault}"):
        read(row)


def test_every_faulty_row_is_counted_and_the_first_five_are_told_at_once():
    rows = [(n, {"problem": "p", "answer": "1" if n % 2 else None}) for n in range(1, 17)]
    with pytest.raises(InputError) as refused:
        problems_of([*rows, (17, "not JSON")], Columns(), "mine")
    said = str(refused.value)
    assert said.startswith("9 of 17 rows cannot be used: mine:2: 'answer' is null; mine:4: ")
    assert "mine:10: " in said and "mine:12: " not in said and "and 4 more" in said


def test_faulty_rows_can_be_left_out_and_are_told():
    said = []
    rows = [(1, {"problem": "p", "answer": "1"}), (2, {"problem": "q", "answer": None})]
    kept = problems_of(rows, Columns(faulty="leave-out"), "rows", said.append)
    assert [problem.prompt for problem in kept] == ["p"]
    assert said == ["1 of 2 rows cannot be used and are left out: rows:2: 'answer' is null"]


def test_a_row_that_is_there_twice_is_left_out_and_told():
    said = []
    rows = [(n, {"id": 1, "problem": "p", "answer": "1"}) for n in (1, 2, 3)]
    assert len(problems_of(rows, Columns(), "rows", said.append)) == 1
    assert said == ["rows: 2 rows repeat an earlier one and are left out"]
