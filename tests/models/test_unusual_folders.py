"""Folders of models and tokenizers that are not as most are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from transformers import Phi3Config

from verirank.config import InputError, ModelConfig, TaskConfig
from verirank.models import context_length, load_base, load_tokenizer
from verirank.tasks import load_task


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(load_base(ModelConfig()).source, tmp_path / "model")


def edit(file: Path, **changed: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changed))


def reason(folder: Path) -> str:
    with pytest.raises(InputError) as refused:
        load_base(ModelConfig(name=str(folder)))
    (line,) = str(refused.value).splitlines()
    return line


def test_settings_that_transformers_refuses_are_one_line(folder: Path) -> None:
    edit(folder / "config.json", hidden_size="wide")
    assert reason(folder).startswith("cannot read the config.json of ")


def test_a_damaged_adapter_config_is_still_an_adapters(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{")
    assert "is a PEFT adapter of a base that its damaged" in reason(folder)


def test_a_quantization_config_that_is_no_table_is_one_line(folder: Path) -> None:
    edit(folder / "config.json", quantization_config=["nf4"])
    assert "quantization_config" in reason(folder)


def test_a_tokenizer_that_ends_texts_leaves_prompts_open(folder: Path) -> None:
    tokenizer = load_tokenizer(ModelConfig(name=str(folder)))
    processor = {
        "type": "TemplateProcessing",
        "single": [
            {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": tokenizer.eos_token, "type_id": 0}},
        ],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {
            tokenizer.eos_token: {
                "id": tokenizer.eos_token,
                "ids": [tokenizer.eos_token_id],
                "tokens": [tokenizer.eos_token],
            }
        },
    }
    edit(folder / "tokenizer.json", post_processor=processor)
    try:
        ids = load_tokenizer(ModelConfig(name=str(folder)))("1+1=").input_ids
    except InputError as refused:
        assert "ends every text with" in str(refused)
    else:
        assert ids[-1] != tokenizer.eos_token_id


def test_longrope_is_used_up_to_where_its_angles_change(folder: Path) -> None:
    factors = [1.0] * 48
    Phi3Config(
        max_position_embeddings=131_072,
        original_max_position_embeddings=4_096,
        rope_scaling={"type": "longrope", "short_factor": factors, "long_factor": factors},
    ).save_pretrained(folder)
    assert context_length(ModelConfig(name=str(folder))) == 4_096


def test_half_a_character_in_the_column_of_groups_is_told(tmp_path: Path) -> None:
    rows = [{"problem": f"{n}+1=", "answer": n + 1, "group": "\ud800"} for n in range(9)]
    file = tmp_path / "grouped.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(InputError, match="'group' holds half of a character"):
        load_task(TaskConfig(name=str(file)))
