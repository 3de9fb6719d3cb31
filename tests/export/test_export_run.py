"""`verirank export` on a real run, its model card, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from moved_policies import logits, served

from verirank.cli import main
from verirank.export import FORMS, export_run
from verirank.methods import load_policy
from verirank.record import Run

FILES = {
    "merged": {"config.json", "model.safetensors", "tokenizer.json", "README.md"},
    "adapter": {"adapter_config.json", "adapter_model.safetensors", "README.md", "verirank.json"},
    "lora": {"adapter_config.json", "adapter_model.safetensors", "README.md", "verirank.json"},
}


def export(monkeypatch: pytest.MonkeyPatch, run: Path, form: str, out: Path) -> int:
    command = ["verirank", "export", str(run), "--to", form, "--out", str(out)]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


@pytest.fixture
def run(pissa_run: Path, tmp_path: Path) -> Path:
    """A copy to be spoilt."""
    return Path(shutil.copytree(pissa_run, tmp_path / "run"))


def set_manifest(run: Path, **entries: object) -> None:
    path = run / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


@pytest.mark.parametrize("form", FORMS)
def test_the_code_in_the_card_loads_the_served_policy_and_completes_a_prompt(
    form, pissa_run, base, tmp_path, monkeypatch, capsys
):
    out = tmp_path / "shipped"
    assert export(monkeypatch, pissa_run, form, out) == 0
    assert {file.name for file in out.iterdir()} >= FILES[form]
    (code,) = re.findall(r"```python\n(.*?)```", (out / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(out)
    names: dict = {}
    capsys.readouterr()
    exec(code, names)
    assert capsys.readouterr().out.strip()
    expected = served(load_policy(base, pissa_run / "adapter"))
    rounding = 3e-6 * float(expected.abs().max())  # some twenty-five ULP of fp32
    torch.testing.assert_close(logits(names["model"]), expected, rtol=0, atol=rounding)


def test_the_card_tells_scores_settings_and_hashes(pissa_run, tmp_path):
    export_run(Run.open(pissa_run), "adapter", tmp_path / "out")
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert card.data.base_model == "micro"
    assert card.data.library_name == "peft"
    assert {"pissa", "grpo", "reinforcement-learning"} <= set(card.data.tags)
    scores = json.loads((pissa_run / "eval.json").read_text())["test"]
    row = next(line for line in card.text.splitlines() if line.startswith("| test |"))
    for key in ("base_avg_at_k", "avg_at_k", "low", "high"):
        assert f"{scores[key]:.3f}" in row
    manifest = json.loads((pissa_run / "manifest.json").read_text())
    assert manifest["base_sha256"] in card.text
    assert (pissa_run / "trial.toml").read_text() in card.text


def test_the_card_of_a_folders_model_names_no_base_that_the_hub_could_mistake(run, base, tmp_path):
    base.model.save_pretrained(tmp_path / "mine")
    base.tokenizer.save_pretrained(tmp_path / "mine")
    settings = (run / "trial.toml").read_text()
    (run / "trial.toml").write_text(settings.replace('"micro"', f'"{tmp_path / "mine"}"', 1))
    export_run(Run.open(run), "merged", tmp_path / "out")
    assert ModelCard.load(tmp_path / "out" / "README.md").data.base_model is None


def test_an_empty_folder_may_be_there_already(pissa_run, tmp_path):
    (tmp_path / "out").mkdir()
    export_run(Run.open(pissa_run), "lora", tmp_path / "out")
    assert {file.name for file in (tmp_path / "out").iterdir()} == FILES["lora"]
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_holds_something_is_refused_and_left_alone(
    pissa_run, tmp_path, monkeypatch, capsys
):
    (tmp_path / "mine.txt").write_text("mine")
    assert export(monkeypatch, pissa_run, "merged", tmp_path) == 2
    assert "is not empty; choose another" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"status": "stopped"}, "is not finished; run: verirank train --resume"),
        ({"status": "running"}, "is not finished; run: verirank train --resume"),
        ({"defect": "in-place-merging"}, "has the defect 'in-place-merging', on purpose"),
        (
            {"status": "failed", "error": "BaseChangedError: the base's weights changed"},
            "is no valid run: BaseChangedError",
        ),
        (
            {"conformance": {"checks": [{"name": "dispatch", "passed": False}]}},
            "is no valid run: its method failed dispatch",
        ),
        ({"base_sha256": "0" * 64}, "was trained from other weights of 'micro'"),
    ],
)
def test_a_run_without_a_valid_result_is_refused(
    entries, message, run, tmp_path, monkeypatch, capsys
):
    set_manifest(run, **entries)
    assert export(monkeypatch, run, "merged", tmp_path / "out") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_run_is_refused(tmp_path, monkeypatch, capsys):
    assert export(monkeypatch, tmp_path / "nothing", "merged", tmp_path / "out") == 2
    assert "there is no run" in capsys.readouterr().err


def test_a_write_that_fails_leaves_nothing_behind(pissa_run, tmp_path, monkeypatch):
    def fail(*_: object) -> str:
        raise OSError("no space left")

    monkeypatch.setattr("verirank.export._export.model_card", fail)
    with pytest.raises(OSError, match="no space left"):
        export_run(Run.open(pissa_run), "lora", tmp_path / "out")
    assert not list(tmp_path.iterdir())
