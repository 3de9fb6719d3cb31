import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hub_server import COMMIT, HubServer
from pyarrow import parquet

from command_line import Done

LOADS = """
import json, os, sys
from verirank.config import InputError
from verirank.tasks.jsonl import JsonlConfig, JsonlTask
from verirank.tasks.math import Math, MathConfig

KINDS = {"math": (Math, MathConfig), "jsonl": (JsonlTask, JsonlConfig)}
# It reads its variables when it is imported, so a process of its own reads every set.
assert "huggingface_hub" not in sys.modules
for line in sys.stdin:
    asked = json.loads(line)
    if os.fork() == 0:
        for stream, name in ((1, "stdout"), (2, "stderr")):
            place = os.path.join(asked["folder"], name)
            os.dup2(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        os.environ.update(asked["variables"])
        task, config = KINDS[asked["kind"]]
        try:
            problems = task(config(**asked["settings"])).training_set()
        except InputError as error:
            sys.exit(f"InputError: {error}")
        print(json.dumps([[problem.id, problem.prompt, problem.answer] for problem in problems]))
        sys.exit()
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


def table(rows: list[dict]) -> bytes:
    buffer = BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


README = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
  - split: test
    path: data/test-*
- config_name: hard
  data_files: hard.csv
- config_name: many
  data_files:
  - split: train
    path: many.json
---
# A set
"""
FILES = {
    "README.md": README.encode(),
    "hard.csv": b"question,answer\n5+5?,10\n",
    "many.json": json.dumps([{"prompt": f"{n}+1", "answer": n + 1} for n in range(9)]).encode(),
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


@pytest.fixture(scope="module")
def load(tmp_path_factory) -> Iterator[Callable[..., Done]]:
    """Read a set in a process that is forked with the tasks loaded; return what it printed."""
    folder = tmp_path_factory.mktemp("printed")
    unset = {"HF_TOKEN", "HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy"}
    process = subprocess.Popen(
        [sys.executable, "-c", LOADS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={key: value for key, value in os.environ.items() if key not in unset},
    )
    assert process.stdin is not None and process.stdout is not None

    def load(home: Path, endpoint: str, kind: str = "math", **settings: Any) -> Done:
        settings = {"train": "owner/set", "columns": COLUMNS, **settings}
        if settings["train"] is None:
            del settings["train"], settings["columns"]
        variables = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1"}
        variables["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
        asked = {"kind": kind, "settings": settings, "variables": variables, "folder": str(folder)}
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        code = int(process.stdout.readline())
        return Done(code, *((folder / name).read_text() for name in ("stdout", "stderr")))

    yield load
    process.stdin.close()
    assert process.wait() == 0
    process.stdout.close()


def test_the_training_files_of_a_hub_set_are_read_by_the_names_of_its_columns(
    load, server, tmp_path
):
    done = load(tmp_path, server.url)
    assert json.loads(done.stdout) == [["1", "1+1?", "2"], ["2", "2+2?", "4"]]


def test_files_and_levels_choose_what_is_read(load, server, tmp_path):
    done = load(tmp_path, server.url, files="data/*", columns={**COLUMNS, "levels": [3]})
    assert [row[1] for row in json.loads(done.stdout)] == ["3+3?", "2+2?"]


def test_a_pinned_set_in_the_cache_is_read_without_asking_the_hub_again(load, server, tmp_path):
    assert load(tmp_path, server.url, revision=COMMIT).returncode == 0
    before = len(server.asked)
    again = load(tmp_path, server.url, revision=COMMIT)
    assert len(json.loads(again.stdout)) == 2
    assert len(server.asked) == before


def test_a_set_in_the_cache_is_read_where_nobody_answers(load, server, tmp_path):
    assert load(tmp_path, server.url).returncode == 0
    assert len(json.loads(load(tmp_path, "http://127.0.0.1:9").stdout or "[]")) == 2


def test_a_split_and_a_subset_of_the_readme_choose_what_is_read(load, server, tmp_path):
    done = load(tmp_path, server.url, split="test")
    assert [row[1] for row in json.loads(done.stdout)] == ["3+3?"]
    done = load(tmp_path, server.url, subset="hard", columns=None)
    assert [row[1:] for row in json.loads(done.stdout)] == [["5+5?", "10"]]
    # Of a set in the cache, files of other splits are no substitute where nobody answers.
    assert "is not in the cache" in load(tmp_path, "http://127.0.0.1:9", split="dev").stderr


def test_a_hub_id_is_a_tasks_name(load, server, tmp_path):
    done = load(tmp_path, server.url, "jsonl", name="owner/set", subset="many", train=None)
    assert len(json.loads(done.stdout)) == 9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train": "owner/absent"}, "'owner/absent' is not on the Hugging Face Hub"),
        ({"train": "owner/private"}, "or it is private and HF_TOKEN is not set"),
        ({"train": "owner/gated"}, "is gated: accept its terms on huggingface.co and set HF_TOKEN"),
        ({"revision": "v2"}, "'owner/set' has no revision 'v2'"),
        ({"files": "validation*"}, "at main has no file 'validation*' that problems"),
        ({"train": "not a/name"}, "is not named like one of the Hugging Face Hub"),
        ({"files": "unlabelled.jsonl", "columns": None}, "owner/set: the rows lack 'answer'"),
    ],
)
def test_what_cannot_be_read_ends_in_one_line_that_says_why(
    load, server, tmp_path, settings, message
):
    done = load(tmp_path, server.url, **settings)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("InputError: ")
    assert message in line
    assert "Traceback" not in done.stderr


def test_without_a_network_the_line_says_what_to_do(load, tmp_path):
    done = load(tmp_path, "http://127.0.0.1:9", train="openai/gsm8k", revision="d" * 40)
    (line,) = done.stderr.splitlines()
    assert "cannot be downloaded and is not in the cache" in line
    assert "set task.data_dir (--data-dir)" in line
