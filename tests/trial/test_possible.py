"""What settings show to be impossible is told before weights are read, and leaves no folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from peft import IA3Config, LoraConfig, PromptTuningConfig, get_peft_model
from transformers import AutoModelForCausalLM

from command_line import verirank
from verirank.config import InputError, ModelConfig, resolve
from verirank.models import load_base
from verirank.trial import expect_possible


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Adapters of micro of several kinds, each in a folder of its own."""
    folder, source = tmp_path_factory.mktemp("adapters"), load_base(ModelConfig()).source
    kinds = {
        "lora": LoraConfig(r=4, target_modules=["q_proj", "v_proj"]),
        "ia3": IA3Config(target_modules=["k_proj"], feedforward_modules=[]),
        "prompt": PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2),
        "head": LoraConfig(r=4, target_modules=["q_proj", "v_proj"], modules_to_save=["norm"]),
    }
    for name, settings in kinds.items():
        model = AutoModelForCausalLM.from_pretrained(source)
        get_peft_model(model, settings).save_pretrained(folder / name)
    (folder / "empty").mkdir()
    rows = [{"problem": f"{n}+1", "answer": str(n + 1)} for n in range(9)]
    (folder / "sums.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


IMPOSSIBLE: list[tuple[tuple[str, ...], str]] = [
    (('method.modules=["c_attn"]',), "the model has no linear layer c_attn; it has q_proj"),
    (('method.modules=["!*experts*"]',), "!*experts* leaves out nothing"),
    (("method.rank=5000",), "method.rank = 5000 is above 128"),
    (("method.name=pissa", "method.rank=500"), "rank 500 exceeds the 64 singular values"),
    (("method.name=eva", "method.rank=65"), "rank 65 exceeds the 64 singular values"),
    (("method.name=lora-ga", "method.rank=33"), "twice the rank, 66, exceeds the 64 singular"),
    (("method.name=miss", "method.rank=200"), "rank 200 exceeds 128 inputs"),
    (("method.name=adalora", "training.steps=2"), "needs at least 3 steps, not 2"),
    (("model.quantization=nf4", "method.name=full"), "which a 4-bit base does not hold"),
    (("model.quantization=nf4", "method.name=pissa"), "which a 4-bit base does not hold"),
    (("model.quantization=nf4", "method.start=lora"), "method.start over a 4-bit base"),
    (("method.name=full", "method.start=lora"), "trains no adapter"),
    (("method.name=pissa", "method.start=lora"), "takes its start out of the base"),
    (("method.name=vera", "method.start=lora"), "is of peft's type Lora, but method 'vera' trains"),
    (("method.start=lora",), "'lora' has rank 4, not 32; set method.rank"),
    (("method.start=lora", "method.rank=4"), "lacks: model.layers.0.mlp.down_proj"),
    (("method.start=head", "method.rank=4"), "has modules_to_save norm, not none; model.adapter"),
    (("method.start=none",), "adapter 'none': there is no such folder"),
    (("model.adapter=none",), "adapter 'none': there is no such folder"),
    (("model.adapter=empty",), "adapter 'empty' holds no adapter_config.json"),
    (("model.adapter=prompt",), "PROMPT_TUNING, which changes no weights"),
    (("model.name=lora",), "--set model.adapter=lora"),
    (("model.name=./none",), "model folder './none' does not exist"),
    (('evaluation.benches=["aime"]',), "no bench 'aime'"),
    (("task.name=sums.jsonl", "task.template=chat"), "has no chat template"),
    (("sampling.max_new_tokens=4000", "task.name=sums.jsonl"), "exceed the model's 1024 tokens"),
]


@pytest.mark.parametrize(
    ("settings", "says"), IMPOSSIBLE, ids=[", ".join(s) for s, _ in IMPOSSIBLE]
)
def test_a_trial_that_cannot_be_is_refused_before_its_weights_are_read(
    adapters: Path, settings: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(adapters)
    monkeypatch.setattr("verirank.models.load_base", lambda *_: pytest.fail("weights are read"))
    given = [part for one in settings for part in ("--set", one)]
    done = verirank("train", "--out", "run", *given)
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 2 and says in line, done.stderr
    assert not Path("run").exists()


def test_a_study_names_the_method_and_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verirank.models.load_base", lambda *_: pytest.fail("weights are read"))
    (tmp_path / "study.toml").write_text(
        'name = "one"\nmethods = ["lora", "miss"]\nseeds = [0]\n[overrides.miss]\nrank = 200\n'
    )
    done = verirank("study", "run", tmp_path / "study.toml", "--out", tmp_path / "out")
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 2, done.stderr
    assert "method miss cannot be trained: method 'miss': rank 200 exceeds 128 inputs" in line
    assert not (tmp_path / "out").exists()


def test_adalora_has_all_the_inner_updates_for_its_schedule() -> None:
    short, long = (
        resolve(
            {
                "method": {"name": "adalora"},
                "training": {"steps": 2},
                "algorithm": {"inner_updates": updates},
            }
        )
        for updates in (1, 2)
    )
    expect_possible([long])
    with pytest.raises(InputError, match="needs at least 3 steps, not 2"):
        expect_possible([short, long])
