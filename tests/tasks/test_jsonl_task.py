import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from verirank.config import InputError, TaskConfig, TrialConfig
from verirank.tasks import load_task, split_of
from verirank.tasks.jsonl import JsonlTask

OWN = ("test", "selection")


def rows(n: int) -> list[dict]:
    return [{"id": f"row-{i}", "problem": f"{i}+1=", "answer": str(i + 1)} for i in range(n)]


def write(path, lines: list[dict]) -> TaskConfig:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return TaskConfig(name=str(path))


@pytest.fixture
def task(tmp_path):
    return load_task(write(tmp_path / "sums.jsonl", rows(200)))


def test_the_splits_hold_every_row_once_by_its_text(task):
    train = {task.training_problem(0, i).id for i in range(160 * 2)}
    test, selection = ({p.id for p in task.bench(name, 999)} for name in ("test", "selection"))
    assert train | test | selection == {row["id"] for row in rows(200)}
    assert len(train) + len(test) + len(selection) == 200
    text = {row["id"]: row["problem"] for row in rows(200)}
    assert {split_of(text[name]) for name in test} == {"test"}
    assert {split_of(text[name]) for name in selection} == {"selection"}
    assert {split_of(text[name]) for name in train} == {"train"}


def test_equal_problems_share_a_split_whatever_their_ids_case_and_spacing(tmp_path):
    lines = [
        {"id": f"{i}-{form}", "problem": text, "answer": "1"}
        for i in range(60)
        for form, text in enumerate([f"What is {i} + 1?", f" what  IS {i}\n+ 1? "])
    ]
    task = load_task(write(tmp_path / "twice.jsonl", lines))
    benches = [{p.id for p in task.bench(name, 999)} for name in OWN]
    train = {task.training_problem(0, i).id for i in range(120)}
    originals = [{name.partition("-")[0] for name in split} for split in (train, *benches)]
    assert sum(map(len, originals)) == len(set.union(*originals)) == 60


def test_training_shows_every_row_once_an_epoch_in_an_order_that_the_seed_decides(task):
    n = 200 - len(task.bench("test", 999)) - len(task.bench("selection", 999))

    def epoch(seed: int, number: int) -> list[str]:
        return [task.training_problem(seed, number * n + i).id for i in range(n)]

    assert sorted(epoch(0, 0)) == sorted(epoch(0, 1)) == sorted(set(epoch(0, 0)))
    assert epoch(0, 0) != epoch(0, 1)
    assert epoch(0, 0) != epoch(1, 0)
    assert epoch(3, 2) == epoch(3, 2)


@given(n=st.integers(3, 30), salt=st.integers())
def test_no_split_of_a_small_file_is_empty(tmp_path_factory, n, salt):
    lines = [{**row, "problem": f"{salt}: {row['problem']}"} for row in rows(n)]
    task = load_task(write(tmp_path_factory.mktemp("small") / "sums.jsonl", lines))
    benches = [p.id for name in OWN for p in task.bench(name, n)]
    train = {task.training_problem(0, i).id for i in range(n - len(benches))}
    assert all(len(task.bench(name, n)) >= (2 if n >= 6 else 1) for name in OWN)
    assert train
    assert len(train) + len(benches) == len(train | set(benches)) == n


def test_the_prompt_is_the_problem_as_it_stands(task):
    problem = task.bench("test", 1)[0]
    assert problem.prompt == f"{int(problem.answer) - 1}+1="


def test_a_bench_is_the_same_at_every_call(task):
    assert task.bench("test", 5) == task.bench("test", 99)[:5]


def test_an_unknown_bench_is_an_input_error(task):
    with pytest.raises(InputError, match="no bench 'ood'"):
        task.bench("ood", 1)


@pytest.mark.parametrize("read", [load_task, lambda config: TrialConfig(task=config)])
def test_a_file_is_known_by_its_suffix_in_a_trial_and_at_loading_alike(read, tmp_path):
    write(tmp_path / "sums.jsonl", rows(9))
    assert read(TaskConfig(name=str(tmp_path / "sums.jsonl")))
    with pytest.raises(ValueError, match="unknown task 'sums'"):
        read(TaskConfig(name="sums"))


def test_parquet_with_the_same_columns_gives_the_same_task(tmp_path, task):
    columns = {key: [row[key] for row in rows(200)] for key in ("id", "problem", "answer")}
    parquet.write_table(pa.table(columns), tmp_path / "sums.parquet")
    other = load_task(TaskConfig(name=str(tmp_path / "sums.parquet")))
    assert other.bench("test", 99) == task.bench("test", 99)
    assert other.training_problem(5, 7) == task.training_problem(5, 7)


def test_a_trial_names_the_file_as_its_task(tmp_path):
    config = write(tmp_path / "sums.jsonl", rows(9))
    trial = TrialConfig.model_validate({"task": {"name": config.name}})
    assert isinstance(load_task(trial.task), JsonlTask)


def test_numbers_may_stand_for_ids_and_answers(tmp_path):
    lines = [{"id": i, "problem": f"{i}?", "answer": 7 if i else 0.5} for i in range(9)]
    task = load_task(write(tmp_path / "sums.jsonl", lines))
    assert {p.answer for p in task.bench("test", 9)} <= {"7", "0.5"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": "a", "problem": "p"}', r"t\.jsonl: the rows lack 'answer'"),
        ('{"id": "a", "problem": "p", "answer": ""}', r"t\.jsonl:1: 'answer' is empty"),
        ('{"id": "a", "problem": "p", "answer": null}', r"t\.jsonl:1: 'answer' is null"),
        (
            '{"id": 1, "problem": "p", "answer": "1"}\n\n{"problem": "p", "answer": "1"}',
            r"1 of 2 rows cannot be used: .*t\.jsonl:3: the row lacks 'id'",
        ),
        ('{"id": "a", "answer": "1"}', r"t\.jsonl: the rows lack 'problem'"),
        ('{"id": "a", "problem": 3, "answer": "1"}', r"t\.jsonl:1: 'problem' must be text"),
        ('{"id": "a", "problem": "p", "answer": [1, 2]}', r"t\.jsonl:1: 'answer' holds 2 answers"),
        ('{"id": "a", "problem": "p", "answer": true}', r"t\.jsonl:1: 'answer' must be text"),
        (
            "".join(f'{{"id": "a", "problem": "p", "answer": "{n}"}}\n' for n in (1, 2)),
            r"t\.jsonl:2: the id 'a'",
        ),
        ('{"id": "a", "problem": "p", "answer": "1"}', r"t\.jsonl holds 1 different problem"),
        (
            "".join(f'{{"id": {i}, "problem": "p", "answer": "1"}}\n' for i in range(9)),
            r"t\.jsonl holds 1 different problem",
        ),
        ("[]", r"t\.jsonl:1: .*object"),
        ("{", r"t\.jsonl:1: not JSON"),
        ("", r"t\.jsonl holds no problems"),
        ("\n\n", r"t\.jsonl holds no problems"),
    ],
)
def test_a_bad_file_is_an_input_error_that_names_the_line(tmp_path, text, message):
    (tmp_path / "t.jsonl").write_text(text)
    with pytest.raises(InputError, match=message):
        load_task(TaskConfig(name=str(tmp_path / "t.jsonl")))


def test_files_that_cannot_be_read_are_input_errors(tmp_path):
    (tmp_path / "latin.jsonl").write_bytes(b"\xff\xfe\xfa")
    (tmp_path / "not.parquet").write_bytes(b"nonsense")
    (tmp_path / "folder.jsonl").mkdir()
    for name in ("latin.jsonl", "not.parquet", "folder.jsonl", "none.jsonl", "none.parquet"):
        with pytest.raises(InputError, match=name):
            load_task(TaskConfig(name=str(tmp_path / name)))


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        (r"so \boxed{52}", "52"),
        (r"\boxed{1} no, \boxed{\frac{1}{2}} yes", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{a \} b}", r"a \} b"),
        (r"\boxed{1} and then \boxed{\frac{1", "1"),
        (r"the answer is 3, in a box: \boxed{4}", "4"),
        (r"\boxed{}", None),
        ("The answer is 3. The final answer is: 42.", "42"),
        ("**Answer:** 42", "42"),
        ("Answer: .5", ".5"),
        ("Answer:\n x = 3 \nBye", "x = 3"),
        ("the answer isn't known", None),
        ("42", None),
        ("", None),
    ],
)
def test_the_answer_is_the_last_whole_box_or_what_is_called_the_answer(task, completion, answer):
    assert task.extract(completion) == answer
