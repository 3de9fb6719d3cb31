"""What a user is told names settings and files, never a class of this package."""

from __future__ import annotations

import pytest

from verirank.config import InputError, RunFailedError, in_words, override, resolve
from verirank.study import make_study

NO_SECTIONS = ["sampling=3", "model=[1]", "sampling.vllm=1", "evaluation='x'", "task.columns=3"]


@pytest.mark.parametrize("assignment", NO_SECTIONS)
def test_a_value_in_the_place_of_a_section_is_told_by_its_key(assignment: str) -> None:
    with pytest.raises(InputError) as refused:
        resolve(override({"task": {"name": "jsonl"}}, [assignment]))
    key = assignment.partition("=")[0]
    assert str(refused.value).startswith(f"{key} = ")
    assert f": {key.rpartition('.')[2]} is a section with settings of its own" in str(refused.value)
    assert str(refused.value).endswith("own" if key != "model" else "own; write model.name")


@pytest.mark.parametrize("key", ["search", "race", "overrides", "axes"])
def test_a_study_tells_it_so_too(key: str) -> None:
    with pytest.raises(InputError, match=f"{key} = 3: {key} is a section with"):
        make_study({"name": "one", key: 3})


def test_only_what_no_user_is_meant_to_read_has_its_class_before_it() -> None:
    assert in_words(InputError("no such bench")) == "no such bench"
    assert in_words(RunFailedError("it diverged")) == "it diverged"
    assert in_words(KeyError("x")) == "KeyError: 'x'"
