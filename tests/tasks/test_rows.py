"""Files of problems as people have them: formats, zipped or not, and what is faulty in them."""

import gzip
import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from verirank.config import InputError, TaskConfig, expect_plugin
from verirank.tasks import load_task
from verirank.tasks.data_files import read_rows

ROWS = [{"id": f"r{n}", "problem": f"{n}+1=", "answer": str(n + 1)} for n in range(9)]
LINES = "\n".join(map(json.dumps, ROWS))
CSV = "id,problem,answer\n" + "".join(f"r{n},{n}+1=,{n + 1}\n" for n in range(9))
FILES = {
    "lines.jsonl": LINES.encode(),
    "lines.ndjson": LINES.encode(),
    "lines.json": LINES.encode(),
    "array.json": json.dumps(ROWS, indent=2).encode(),
    "array.jsonl": json.dumps(ROWS).encode(),
    "below-a-key.json": json.dumps({"data": ROWS}).encode(),
    "mark.jsonl": b"\xef\xbb\xbf" + LINES.encode(),
    "windows.jsonl": b"\xef\xbb\xbf" + LINES.replace("\n", "\r\n").encode(),
    "zipped.jsonl.gz": gzip.compress(LINES.encode()),
    "zipped.json.gz": gzip.compress(json.dumps(ROWS).encode()),
    "table.csv": CSV.encode(),
    "windows.csv": b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode(),
    "semicolons.csv": CSV.replace(",", ";").encode(),
    "tabs.tsv": CSV.replace(",", "\t").encode(),
    "zipped.csv.gz": gzip.compress(CSV.encode()),
}


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_rows_and_is_a_task(name, tmp_path):
    (tmp_path / name).write_bytes(FILES[name])
    assert [row for _, row in read_rows(str(tmp_path / name))] == ROWS
    assert expect_plugin("task", str(tmp_path / name)) == "jsonl"


def test_cells_of_a_csv_are_text_with_their_quotes_and_line_breaks_undone(tmp_path):
    (tmp_path / "t.csv").write_text('problem,answer\n"a ""b"",\nc",007\nx,1.50\n')
    rows = [row for _, row in read_rows(str(tmp_path / "t.csv"))]
    assert rows == [
        {"problem": 'a "b",\nc', "answer": "007"},
        {"problem": "x", "answer": "1.50"},
    ]


def test_parquet_may_hold_structs_lists_and_numbers(tmp_path):
    rows = [
        {
            "prompt": [{"role": "user", "content": f"{n}+1="}],
            "reward_model": {"ground_truth": str(n + 1), "style": "rule"},
            "extra_info": {"index": n},
        }
        for n in range(9)
    ]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "verl.parquet")
    task = load_task(TaskConfig(name=str(tmp_path / "verl.parquet")))
    problem = task.training_problem(0, 0)
    assert int(problem.answer) == int(problem.id) + 1
    assert problem.prompt == f"{problem.id}+1="


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "problem,answer\np,1\nonly\nq,2\n", r"1 of 3 .*t\.csv:3: the header has 2 col"),
        ("t.csv", "problem,problem\np,1\n", "two columns have one name"),
        ("t.csv", "", "cannot read"),
        ("t.csv", "problem,answer\n", "holds no problems"),
        (
            "t.json",
            "[1, 2]",
            "none of the 2 rows of .*t.json can be used: a row must be a JSON object, not a number",
        ),
        ("t.json", '{"problem": "p"', r"t\.json:1: not JSON"),
        ("t.json", "[]", "must be a JSON object"),
        ("t.jsonl", '{"problem": "p", "answer": NaN}', "'answer' is nan, not a finite number"),
        ("t.jsonl", '{"problem": "p", "answer": -Infinity}', "'answer' is -inf, not a finite"),
        ("t.jsonl", r'{"problem": "\ud800", "answer": "1"}', r"a character \('\\ud800', a lone"),
        (
            "t.jsonl",
            '{"problem": "p", "answer": "1"}\nno\n[]',
            "2 of 3 .*:2: not.*:3: a line",
        ),
    ],
)
def test_what_is_faulty_is_one_line_that_names_the_rows(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message) as refused:
        load_task(TaskConfig(name=str(tmp_path / name)))
    assert "\n" not in str(refused.value)


def test_another_encoding_says_to_save_it_as_utf_8(tmp_path):
    for name in ("t.jsonl", "t.csv"):
        (tmp_path / name).write_bytes(LINES.encode("utf-16"))
        with pytest.raises(InputError, match="save it as UTF-8"):
            load_task(TaskConfig(name=str(tmp_path / name)))


def test_another_ending_says_which_there_are(tmp_path):
    (tmp_path / "t.xlsx").write_bytes(b"")
    with pytest.raises(InputError, match=r"problems are a file \(.jsonl, .*\.parquet\), a folder"):
        load_task(TaskConfig(name=str(tmp_path / "t.xlsx")))
