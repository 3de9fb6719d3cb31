"""Every method on twelve architectures: trained, stored, published, exported and loaded again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from test_architectures import tiny
from torch import Tensor
from transformers import AutoModelForCausalLM

from verirank.config import CONTENDERS, InputError, TrainingConfig, resolve
from verirank.export import FORMS, write_policy
from verirank.kernels import Sequences
from verirank.methods import Policy, load_policy, save_policy
from verirank.training import CompletionLogprobs

pytestmark = [
    pytest.mark.thorough,
    # Of norms, and of tied embeddings, which peft mentions while it loads an adapter.
    pytest.mark.filterwarnings("ignore::UserWarning:peft"),
]

ARCHITECTURES = (
    *("llama", "qwen2", "qwen3", "mistral-window", "gemma2", "gemma3", "phi3", "gpt-neox"),
    *("falcon", "olmo2", "mixtral", "gpt-oss", "qwen2-moe", "gpt2"),
)
PROMPT, COMPLETION = [1, 5, 9], [4, 7, 3, 2]
WITHOUT_FORM = {
    **{method: {"lora"} for method in ("dora", "ia3", "ln-tuning")},
    "full": {"adapter", "lora"},
}
"""The forms that a method cannot be exported in, which is one line."""
WITH_EXPERTS = {"mixtral", "gpt-oss", "qwen2-moe"}
MERGED_ALONE = {"dora", "ia3"}
"""Methods that peft cannot load over stacked experts."""


def trained(name: str, method: str) -> tuple[Policy, CompletionLogprobs]:
    base = tiny(name)
    defaults = resolve({"method": {"name": method}}).method.model_dump()
    settings = {"rank": 4} if "rank" in defaults else {}
    config = resolve({"method": {"name": method, **settings}}).method
    policy = Policy.create(base, config, seed=0, total_steps=3)
    logprobs = CompletionLogprobs(policy.model, 1.0, packed=base.form is None)
    optimizer = policy.optimizer(TrainingConfig(), 1e-2)
    for step in (1, 2):
        optimizer.zero_grad()
        logprobs(Sequences.pack([(PROMPT, [COMPLETION, [8, 6]])])).sum().backward()
        policy.update(optimizer, step, 1.0)
    return policy, logprobs


@torch.no_grad()
def of_plain(model: Any) -> Tensor:
    """Return the log-probabilities of the completion by a model of transformers or peft."""
    tokens = torch.tensor([PROMPT + COMPLETION])
    logits = model.eval()(tokens).logits.log_softmax(-1)[0, len(PROMPT) - 1 : -1]
    return logits.gather(1, tokens[0, len(PROMPT) :, None])[:, 0]


def loaded(policy: Policy, form: str, folder: Path) -> Any:
    if form == "merged":
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    plain = folder.parent / f"{form}-base"
    policy.base.model.save_pretrained(plain)
    base = AutoModelForCausalLM.from_pretrained(plain, dtype=torch.float32)
    return PeftModel.from_pretrained(base, folder)


@pytest.mark.parametrize("method", CONTENDERS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_policy_comes_back_from_every_form(name: str, method: str, tmp_path: Path) -> None:
    policy, logprobs = trained(name, method)
    with torch.no_grad():
        expected = logprobs(Sequences.pack([(PROMPT, [COMPLETION])]))[0]
    save_policy(policy, tmp_path / "policy")
    again = dict(load_policy(policy.base, tmp_path / "policy").effective_weights())
    weights = dict(policy.effective_weights())
    assert again.keys() == weights.keys()
    assert all(torch.equal(again[key], weight) for key, weight in weights.items())
    without = WITHOUT_FORM.get(method, set[str]())
    if name in WITH_EXPERTS and method in MERGED_ALONE:
        without = {"adapter", "lora"}
    for form in FORMS:
        if form in without:
            with pytest.raises(InputError):
                write_policy(policy, form, tmp_path / form)
            continue
        write_policy(policy, form, tmp_path / form)
        found = of_plain(loaded(policy, form, tmp_path / form))
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
