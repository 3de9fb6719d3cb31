"""A task's prompt template reaches the model, in training and in evaluation alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from verirank.config import InputError, TrialConfig, resolve
from verirank.evaluation import sample_bench
from verirank.models import load_base
from verirank.record import Run
from verirank.sampling import TransformersSampler
from verirank.tasks import load_task
from verirank.training import Trainer
from verirank.verifier import Verifier


@pytest.fixture
def config(tmp_path: Path) -> TrialConfig:
    file = tmp_path / "sums.jsonl"
    rows = [{"id": n, "problem": f"{n}+{n}=", "answer": 2 * n} for n in range(30)]
    file.write_text("\n".join(map(json.dumps, rows)))
    task = {"name": str(file), "template": "chat"}
    sampling = {"problems_per_step": 2, "group_size": 2, "max_new_tokens": 4}
    return resolve({"task": task, "sampling": sampling, "training": {"steps": 1}})


def test_the_manifest_names_the_template(config: TrialConfig, tmp_path: Path) -> None:
    assert Run.create(tmp_path / "run", config).manifest["template"] == "chat"
    assert "template" not in Run.create(tmp_path / "other", resolve({})).manifest


def test_training_samples_from_the_rendered_prompt(config: TrialConfig, verifier: Verifier) -> None:
    base = load_base(config.model)
    base.tokenizer.chat_template = "7*7="
    step = Trainer(config, base, TransformersSampler(base), verifier).train_step()
    asked = {base.tokenizer.decode(c.prompt_tokens) for g in step.groups for c in g.completions}
    assert asked == {"7*7="}


def test_training_and_evaluation_refuse_a_template_that_the_model_lacks(
    config: TrialConfig, verifier: Verifier
) -> None:
    base, task = load_base(config.model), load_task(config.task)
    sampler = TransformersSampler(base)
    with pytest.raises(InputError, match="no chat template"):
        Trainer(config, base, sampler, verifier).train_step()
    with pytest.raises(InputError, match="no chat template"):
        sample_bench(sampler, verifier, task, "test", config, "before")
