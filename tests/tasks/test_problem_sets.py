import re

import pytest

from verirank.config import InputError
from verirank.tasks import benches, read_bench, read_training_set, training_sets

COMMIT = re.compile(r"[0-9a-f]{40}")
SIX = ("aime24", "aime25", "amc23", "hmmt25", "math-500", "minerva")


def test_every_named_set_is_pinned_to_a_commit():
    for source in (*training_sets().values(), *benches().values()):
        assert COMMIT.fullmatch(source.revision), source.hub


def test_benches_are_sampled_32_times_but_the_large_ones_4_times():
    samples = {name: bench.settings.samples for name, bench in benches().items()}
    assert {name for name, k in samples.items() if k == 4} == {"math-500", "minerva", "gsm8k"}
    assert {k for name, k in samples.items() if name not in {"math-500", "minerva", "gsm8k"}} == {
        32
    }
    assert {bench.settings.temperature for bench in benches().values()} == {0.6}


@pytest.mark.parametrize("name", [*SIX, "gsm8k"])
def test_a_named_bench_is_read_whole_from_a_folder_of_copies(name, data_dir):
    problems = read_bench(name, data_dir)
    assert len(problems) == benches()[name].settings.problems
    assert len({problem.id for problem in problems}) == len(problems)
    assert all(problem.answer.strip() for problem in problems)


@pytest.mark.parametrize(
    ("name", "n"), [("dapo-math-17k", 17209), ("gsm8k", 7473), ("math-levels-3-5", 8521)]
)
def test_a_named_training_set_is_read_whole_from_a_folder_of_copies(name, n, data_dir):
    assert len(read_training_set(name, data_dir)) == n


def test_names_may_be_written_with_or_without_hyphens_and_capitals(data_dir):
    assert read_bench("MATH500", data_dir) == read_bench("math-500", data_dir)
    assert len(read_training_set("dapo_math_17k", data_dir)) == 17209


def test_an_unnamed_file_of_the_folder_is_a_training_set_by_its_name(data_dir):
    assert len(read_training_set("svamp", data_dir)) == 1000


@pytest.mark.parametrize(
    ("read", "name", "message"),
    [
        (read_bench, "minervas", "no bench 'minervas'; did you mean 'minerva'"),
        (read_training_set, "gsm8", "no training set 'gsm8'; did you mean 'gsm8k'"),
    ],
)
def test_an_unknown_name_is_an_input_error_that_names_the_nearest(read, name, message):
    with pytest.raises(InputError, match=message):
        read(name)


def test_a_folder_without_the_set_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"no file .*bench/aime24 that ends in"):
        read_bench("aime24", str(tmp_path))


def test_a_bench_with_problems_missing_is_an_input_error(tmp_path):
    (tmp_path / "bench").mkdir()
    row = '{"id": 1, "problem": "1+1?", "answer": "2"}\n'
    (tmp_path / "bench/aime24.jsonl").write_text(row)
    with pytest.raises(InputError, match=r"'aime24' in .* has 1 problems, not 30"):
        read_bench("aime24", str(tmp_path))


def test_a_bench_without_answers_is_an_input_error_that_names_the_row(tmp_path):
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench/aime24.jsonl").write_text('{"id": 1, "problem": "1+1?"}\n')
    with pytest.raises(InputError, match=r"aime24\.jsonl: the rows lack 'answer'"):
        read_bench("aime24", str(tmp_path))
