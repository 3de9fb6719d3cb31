"""Settings, studies, problem files and files of a run, mutated: read, or refused in one line.

A minute of the thorough tests; `python benchmarks/fuzz.py --minutes 60` goes on with other seeds.
"""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from command_line import verirank
from verirank.config import InputError, RunFailedError, resolve, to_toml
from verirank.models import load_base
from verirank.study import make_study
from verirank.tasks import read_training_set
from verirank.trial import run_trial, start_trial

pytestmark = pytest.mark.thorough

EXAMPLES = 300
PLAIN = tomllib.loads(to_toml(resolve({})))
SECTIONS = sorted(name for name, value in PLAIN.items() if isinstance(value, dict))
KEYS = sorted({key for name in SECTIONS for key in PLAIN[name]} | set(PLAIN))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["lora", "dapo", "math", "micro", "../x", "1e400", "", "\0", "\ud800"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
TRIALS = st.dictionaries(
    st.sampled_from(SECTIONS + KEYS),
    VALUES | st.dictionaries(st.sampled_from(KEYS), SCALARS, max_size=3),
    max_size=4,
)
STUDY_KEYS = ["name", "question", "preset", "methods", "seeds", "trial", "protocol", "axes", "base"]
ROWS = [{"id": f"r{n}", "problem": f"{n}+1=", "answer": str(n + 1)} for n in range(9)]
FILES = {
    "p.jsonl": "\n".join(map(json.dumps, ROWS)).encode(),
    "p.json": json.dumps(ROWS).encode(),
    "p.csv": b"id,problem,answer\n" + b"".join(b"r%d,%d+1=,%d\n" % (n, n, n + 1) for n in range(9)),
}
MUTATIONS = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from("dirs"), st.binary(min_size=1, max_size=6)),
    min_size=1,
    max_size=4,
)
"""Where, how (delete, insert, replace, shorten), and with what a file is changed."""
of_files = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def mutated(content: bytes, mutations: list[tuple[float, str, bytes]]) -> bytes:
    for place, kind, piece in mutations:
        at = int(place * len(content))
        if kind == "d":
            content = content[:at] + content[at + len(piece) :]
        elif kind == "i":
            content = content[:at] + piece + content[at:]
        elif kind == "r":
            content = content[:at] + piece + content[at + len(piece) :]
        else:
            content = content[:at]
    return content


@of_files
@given(TRIALS)
def test_settings_of_a_trial_are_resolved_or_refused(trial: dict[str, object]) -> None:
    try:
        assert resolve(tomllib.loads(to_toml(resolve(trial))))
    except InputError as error:
        assert str(error)


@of_files
@given(st.dictionaries(st.sampled_from(STUDY_KEYS), VALUES | TRIALS, max_size=5))
def test_a_study_is_made_or_refused(study: dict[str, object]) -> None:
    try:
        make_study(study)
    except InputError as error:
        assert str(error)


@of_files
@given(st.sampled_from(sorted(FILES)), MUTATIONS)
def test_a_file_of_problems_is_read_or_refused(
    tmp_path: Path, name: str, mutations: list[tuple[float, str, bytes]]
) -> None:
    file = tmp_path / name
    file.write_bytes(mutated(FILES[name], mutations))
    try:
        read_training_set(str(file))
    except (InputError, ValueError) as error:
        assert str(error)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "run"
    config = resolve(
        {
            "sampling": {"problems_per_step": 2, "group_size": 2},
            "training": {"steps": 2},
            "checkpoint": {"every": 1},
            "evaluation": {"problems": 4, "samples": 2},
        }
    )
    run_trial(start_trial(config, folder), load_base(config.model))
    return folder


@settings(parent=of_files, max_examples=EXAMPLES // 3)
@given(st.data(), MUTATIONS)
def test_a_run_with_a_damaged_file_is_shown_or_refused(
    finished: Path, tmp_path: Path, data: st.DataObject, mutations: list[tuple[float, str, bytes]]
) -> None:
    names = sorted(
        str(file.relative_to(finished))
        for file in finished.rglob("*")
        if file.is_file() and file.suffix in (".json", ".jsonl", ".parquet", ".toml")
    )
    run = tmp_path / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(finished, run)
    file = run / data.draw(st.sampled_from(names))
    file.write_bytes(mutated(file.read_bytes(), mutations))
    for command in (("show", run), ("show", run, "--bench", "test"), ("show", run, "--step", "1")):
        try:
            done = verirank(*command)
        except RunFailedError as error:
            pytest.fail(str(error))
        assert done.returncode in (0, 2)
        assert "Traceback" not in done.stderr
