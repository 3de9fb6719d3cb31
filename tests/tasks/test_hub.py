import json
import os
import subprocess
import sys
from io import BytesIO

import pyarrow as pa
import pytest
from hub_server import COMMIT, HubServer
from pyarrow import parquet

SCRIPT = """
import json, sys
from verirank.config import InputError
from verirank.tasks.math import Math, MathConfig
try:
    problems = Math(MathConfig(**json.loads(sys.argv[1]))).training_set()
except InputError as error:
    sys.exit(f"InputError: {error}")
print(json.dumps([[problem.id, problem.prompt, problem.answer] for problem in problems]))
"""


def table(rows: list[dict]) -> bytes:
    buffer = BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


FILES = {
    "README.md": b"# A set",
    "data/train-00000-of-00002.parquet": table([{"q": "1+1?", "a": "#### 2", "level": "Level 1"}]),
    "data/train-00001-of-00002.parquet": table([{"q": "2+2?", "a": "#### 4", "level": "Level 3"}]),
    "data/test-00000-of-00001.parquet": table([{"q": "3+3?", "a": "#### 6", "level": "Level 3"}]),
    "unlabelled.jsonl": b'{"problem": "4+4?"}\n',
}
COLUMNS = {"id": "", "problem": "q", "answer": "a", "answer_form": "hashes"}


@pytest.fixture(scope="module")
def server():
    with HubServer(FILES) as server:
        yield server


def load(home, endpoint: str, **settings) -> subprocess.CompletedProcess[str]:
    settings = {"train": "owner/set", "columns": COLUMNS, **settings}
    variables = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    unset = {"HF_TOKEN", "HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy"}
    kept = {key: value for key, value in os.environ.items() if key not in unset}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(settings)],
        capture_output=True,
        text=True,
        env={**kept, **variables, "NO_PROXY": "127.0.0.1"},
    )


def test_the_training_files_of_a_hub_set_are_read_by_the_names_of_its_columns(server, tmp_path):
    done = load(tmp_path, server.url)
    assert json.loads(done.stdout) == [["1", "1+1?", "2"], ["2", "2+2?", "4"]]


def test_files_and_levels_choose_what_is_read(server, tmp_path):
    done = load(tmp_path, server.url, files="data/*", columns={**COLUMNS, "levels": [3]})
    assert [row[1] for row in json.loads(done.stdout)] == ["3+3?", "2+2?"]


def test_a_pinned_set_in_the_cache_is_read_without_asking_the_hub_again(server, tmp_path):
    assert load(tmp_path, server.url, revision=COMMIT).returncode == 0
    before = len(server.asked)
    again = load(tmp_path, server.url, revision=COMMIT)
    assert len(json.loads(again.stdout)) == 2
    assert len(server.asked) == before


def test_a_set_in_the_cache_is_read_where_nobody_answers(server, tmp_path):
    assert load(tmp_path, server.url).returncode == 0
    assert len(json.loads(load(tmp_path, "http://127.0.0.1:9").stdout or "[]")) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train": "owner/absent"}, "'owner/absent' is not on the Hugging Face Hub"),
        ({"train": "owner/private"}, "or it is private and HF_TOKEN is not set"),
        ({"train": "owner/gated"}, "is gated: accept its terms on huggingface.co and set HF_TOKEN"),
        ({"revision": "v2"}, "'owner/set' has no revision 'v2'"),
        ({"files": "validation*"}, "at main has no file 'validation*' that ends in one of"),
        ({"train": "not a/name"}, "is not named like one of the Hugging Face Hub"),
        ({"files": "unlabelled.jsonl", "columns": None}, "owner/set:1: the row lacks 'id'"),
        (
            {"files": "unlabelled.jsonl", "columns": {"id": ""}},
            "owner/set:1: the row lacks 'answer'",
        ),
    ],
)
def test_what_cannot_be_read_ends_in_one_line_that_says_why(server, tmp_path, settings, message):
    done = load(tmp_path, server.url, **settings)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("InputError: ")
    assert message in line
    assert "Traceback" not in done.stderr


def test_without_a_network_the_line_says_what_to_do(tmp_path):
    done = load(tmp_path, "http://127.0.0.1:9", train="openai/gsm8k", revision="d" * 40)
    (line,) = done.stderr.splitlines()
    assert "cannot be downloaded and is not in the cache" in line
    assert "set task.data_dir (--data-dir)" in line
