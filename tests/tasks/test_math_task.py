import json

import pytest

from verirank.config import InputError, TaskConfig, TrialConfig, resolve, to_toml
from verirank.tasks import Problem, load_task
from verirank.tasks.math import Math, MathConfig


@pytest.fixture(scope="module")
def task(data_dir):
    return Math(MathConfig(data_dir=data_dir))


def test_training_test_and_selection_share_no_problem_and_leave_none_out(task):
    train = {task.training_problem(0, i).id for i in range(17209)}
    test, selection = ({p.id for p in task.bench(name, 17209)} for name in ("test", "selection"))
    assert not train & test and not train & selection and not test & selection
    assert len(train) + len(test) + len(selection) == 17209
    assert 0.09 < len(test) / 17209 < 0.11


def test_the_named_benches_are_asked_in_the_order_of_their_files(task):
    assert [p.id for p in task.bench("amc23", 3)] == ["amc23-0", "amc23-1", "amc23-2"]
    assert len(task.bench("math-500", 9999)) == 500


def test_a_named_bench_is_read_without_the_training_set(data_dir):
    assert Math(MathConfig(train="owner/absent", data_dir=data_dir)).bench("aime24", 2)


def test_each_bench_has_its_own_k_and_temperature(task):
    settings = task.bench_settings("aime24")
    assert (settings.problems, settings.samples, settings.temperature) == (30, 32, 0.6)
    assert task.bench_settings("minerva").samples == 4
    assert task.bench_settings("test").temperature == 1.0


def test_the_bench_problems_that_stand_in_the_training_set_are_known(task):
    assert len(task.overlapping("amc23")) == 25
    assert task.overlapping("aime25") == task.overlapping("test") == frozenset()


def test_an_unknown_bench_is_an_input_error_that_lists_the_known_ones(task):
    with pytest.raises(InputError, match="no bench 'aime99'; it has test, selection, aime24"):
        task.bench("aime99", 1)


def test_the_template_is_part_of_a_trials_settings_and_survives_toml():
    trial = resolve({"task": {"name": "math", "template": "r1-distill"}})
    assert 'template = "r1-distill"' in to_toml(trial)
    assert isinstance(load_task(trial.task), Math)


def test_a_hub_id_is_described_by_columns_files_and_revision():
    settings = {
        "name": "math",
        "train": "owner/set",
        "files": "train/*.parquet",
        "columns": {"problem": "question", "levels": [3, 4, 5]},
    }
    config = TrialConfig.model_validate({"task": settings}).task
    assert isinstance(config, MathConfig)
    assert config.describing().keys() == {"files", "columns"}
    assert (config.train, config.files) == ("owner/set", "train/*.parquet")
    assert config.columns and config.columns.levels == (3, 4, 5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train": "mine.jsonl"}, r"a file is a task of its own: task\.name=mine\.jsonl"),
        ({"train": "gsm8k", "files": "*"}, "gsm8k is a named set"),
        ({"templat": "chat"}, r"unknown key 'task\.templat'; did you mean 'task\.template'"),
    ],
)
def test_settings_that_cannot_be_meant_are_input_errors(settings, message):
    with pytest.raises(InputError, match=message):
        resolve({"task": {"name": "math", **settings}})


def test_a_users_own_file_has_the_named_benches_too(tmp_path, data_dir):
    lines = [{"id": i, "question": f"{i}+1?", "answer": str(i + 1)} for i in range(9)]
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    trial = resolve(
        {
            "task": {
                "name": str(path),
                "data_dir": data_dir,
                "template": "chat",
                "columns": {"problem": "question"},
            }
        }
    )
    task = load_task(trial.task)
    assert isinstance(task.training_problem(0, 0), Problem)
    assert len(task.bench("aime24", 99)) == 30


def test_the_task_is_listed_without_reading_any_data():
    assert Math.example().answer == "28"
    assert isinstance(load_task(TaskConfig(name="math")), Math)
