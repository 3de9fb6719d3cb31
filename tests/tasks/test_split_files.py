"""Which files of a data set hold a split, by its README or by their names."""

import json

import pytest

from verirank.config import InputError, resolve
from verirank.tasks import load_task
from verirank.tasks.data_files import Choice

GSM8K = {
    "configs": [
        {
            "config_name": "main",
            "data_files": [
                {"split": "train", "path": "main/train-*"},
                {"split": "test", "path": ["main/test-*"]},
            ],
        },
        {"config_name": "socratic", "data_files": [{"split": "train", "path": "socratic/*"}]},
    ]
}
SHARDS = ["main/train-00000-of-00001.parquet", "main/test-0.parquet", "socratic/train-0.parquet"]


@pytest.mark.parametrize(
    ("names", "choice", "chosen"),
    [
        (["data/train-0.parquet", "data/test-0.parquet"], Choice(), ["data/train-0.parquet"]),
        (
            ["data/train-0.parquet", "data/test-0.parquet"],
            Choice(split="test"),
            ["data/test-0.parquet"],
        ),
        (["train.jsonl", "README.md", "x.py"], Choice(), ["train.jsonl"]),
        (["a.csv", "b.csv"], Choice(), ["a.csv", "b.csv"]),
        (["train/b.json", "train/a.json"], Choice(), ["train/a.json", "train/b.json"]),
        (["en/train.csv", "de/train.csv"], Choice(subset="de"), ["de/train.csv"]),
        (["x/strain.csv", "x/train.csv"], Choice(), ["x/train.csv"]),
        (["mine_easy.jsonl", "test.jsonl"], Choice(split="easy"), ["mine_easy.jsonl"]),
        (SHARDS, Choice(files="main/*"), ["main/test-0.parquet", SHARDS[0]]),
    ],
)
def test_files_are_chosen_by_their_names(names, choice, chosen):
    assert choice.of(names, {}, "set") == chosen


def test_a_readme_says_which_files_a_subset_and_split_have():
    assert Choice(subset="main").of(SHARDS, GSM8K, "set") == SHARDS[:1]
    assert Choice(subset="main", split="test").of(SHARDS, GSM8K, "set") == [SHARDS[1]]
    default = {"configs": [{**c, "default": c["config_name"] == "main"} for c in GSM8K["configs"]]}
    assert Choice().of(SHARDS, default, "set") == SHARDS[:1]


@pytest.mark.parametrize(
    ("names", "metadata", "choice", "message"),
    [
        (SHARDS, GSM8K, Choice(), "has the subsets main, socratic; set task.subset"),
        (SHARDS, GSM8K, Choice(subset="x"), "has the subsets main, socratic"),
        (SHARDS, {}, Choice(), "split 'train' in several folders: main, socratic"),
        (["test.csv"], {}, Choice(), "no files of split 'train'; its files: test.csv"),
        (["train.csv"], {}, Choice(split="dev"), "no files of split 'dev'"),
        ([], {}, Choice(), "its files: none"),
    ],
)
def test_what_cannot_be_chosen_says_what_there_is(names, metadata, choice, message):
    with pytest.raises(InputError, match=message):
        choice.of(names, metadata, "set")


def test_a_folder_is_read_like_a_set_of_the_hub(tmp_path):
    rows = [{"question": f"{n}+1?", "answer": str(n + 1)} for n in range(20)]
    for split, part in (("train", rows[:15]), ("test", rows[15:])):
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, part)))

    def size(**settings) -> int:
        task = load_task(resolve({"task": {"name": str(tmp_path), **settings}}).task)
        return sum(task.split_sizes().values())

    assert (size(), size(split="test"), size(files="*")) == (15, 5, 20)


def test_a_file_has_no_splits(tmp_path):
    (tmp_path / "t.jsonl").write_text("{}")
    with pytest.raises(InputError, match=r"task.split is for folders and Hub ids"):
        load_task(resolve({"task": {"name": str(tmp_path / "t.jsonl"), "split": "x"}}).task)
