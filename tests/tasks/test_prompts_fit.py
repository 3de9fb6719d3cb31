"""Prompts that a model cannot take are refused before anything runs."""

import json
from dataclasses import replace

import pytest

from command_line import verirank
from verirank.config import InputError, ModelConfig, resolve
from verirank.models import BaseModel, load_base
from verirank.tasks import expect_prompts_fit, load_task, longest_sequence


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(ModelConfig())


def file_of(tmp_path, lengths: list[int]) -> str:
    rows = [{"problem": f"{n}+" + "1" * length, "answer": "1"} for n, length in enumerate(lengths)]
    path = tmp_path / "long.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def refused(name: str, base: BaseModel, **sampling) -> str:
    config = resolve({"task": {"name": name}, "sampling": sampling})
    with pytest.raises(InputError) as error:
        expect_prompts_fit(load_task(config.task), config, base)
    return str(error.value)


def test_prompts_that_fit_are_not_refused(tmp_path, base):
    config = resolve({"task": {"name": file_of(tmp_path, [700] * 20)}})
    expect_prompts_fit(load_task(config.task), config, base)


def test_a_prompt_that_does_not_fit_with_its_completion_is_named_with_what_would(tmp_path, base):
    said = refused(file_of(tmp_path, [10] * 9 + [798]), base, max_new_tokens=300)
    assert "1 of 10 prompts with 300 new tokens exceed the model's 1024 tokens (ids 10;" in said
    assert "the longest prompt has 800 tokens): lower sampling.max_new_tokens to 224, or" in said


def test_prompts_that_never_fit_are_counted(tmp_path, base):
    said = refused(file_of(tmp_path, [2000] * 20), base)
    assert said.startswith("20 of 20 prompts") and said.endswith("tokens): leave out long problems")


def test_a_token_without_an_embedding_is_refused_where_a_prompt_holds_it(tmp_path, base):
    tokenizer = load_base(ModelConfig()).tokenizer
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    odd = replace(base, tokenizer=tokenizer)
    config = resolve({"task": {"name": file_of(tmp_path, [5] * 9)}})
    expect_prompts_fit(load_task(config.task), config, odd)
    rows = [{"problem": f"{n}+1=<image>", "answer": "1"} for n in range(9)]
    (tmp_path / "odd.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert "9 of 9 prompts hold tokens beyond" in refused(str(tmp_path / "odd.jsonl"), odd)


def test_the_longest_sequence_is_known_of_a_set_and_not_of_a_generator(tmp_path, base):
    config = resolve({"task": {"name": file_of(tmp_path, [10] * 9 + [20])}})
    assert longest_sequence(load_task(config.task), config, base) == 22 + 256
    assert longest_sequence(load_task(resolve({}).task), resolve({}), base) is None


def test_a_study_ends_with_2_before_its_first_trial(tmp_path):
    study = tmp_path / "study.toml"
    study.write_text(
        'name = "long"\nquestion = "Does it fit?"\nmethods = ["lora", "ia3"]\nseeds = [0]\n'
        f'[trial.task]\nname = "{file_of(tmp_path, [40_000] * 20)}"\n'
    )
    done = verirank("study", "run", study, "--out", tmp_path / "out")
    assert done.returncode == 2 and "exceed the model's 1024 tokens" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", [("train", "--out"), ("eval", "micro", "--out")])
def test_a_command_ends_with_2_and_leaves_nothing(tmp_path, command):
    out = tmp_path / "out"
    done = verirank(*command, out, "--task", file_of(tmp_path, [40_000] * 20))
    assert done.returncode == 2 and "exceed the model's 1024 tokens" in done.stderr
    assert not list(out.glob("*"))
