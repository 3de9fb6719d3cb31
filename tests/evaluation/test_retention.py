"""What is measured of forgetting: losses on held-out text, and KL from the base."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from verirank.config import MethodConfig, resolve
from verirank.evaluation import measure_retention
from verirank.evaluation._retention import PROBLEMS, SUMS, _held_out
from verirank.methods import Policy
from verirank.models import BaseModel, load_base
from verirank.sampling import Sampler, open_sampler
from verirank.tasks import load_task

CONFIG = resolve({"sampling": {"max_new_tokens": 12}})


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(CONFIG.model)


@pytest.fixture(scope="module")
def sampler(base: BaseModel) -> Iterator[Sampler]:
    with open_sampler(CONFIG, base) as sampler:
        yield sampler


def policy(base: BaseModel, moved: float) -> Policy:
    made = Policy.create(base, MethodConfig(name="lora"), seed=0, total_steps=1)
    generator = torch.Generator().manual_seed(1)
    for parameter in made.trainable().values():
        parameter.data += moved * torch.randn(parameter.shape, generator=generator)
    return made


def measured(base: BaseModel, sampler: Sampler, moved: float) -> dict:
    trained = policy(base, moved)
    sampler.publish(trained.effective_weights())
    found = measure_retention(trained, load_task(CONFIG.task), sampler, CONFIG)
    assert found is not None
    return found


def test_an_untrained_policy_forgot_nothing(base: BaseModel, sampler: Sampler) -> None:
    found = measured(base, sampler, 0.0)
    assert (len(found["before"]), len(found["kl"])) == (SUMS, PROBLEMS)
    assert found["after"] == pytest.approx(found["before"], abs=1e-5)
    assert found["kl"] == pytest.approx([0.0] * PROBLEMS, abs=1e-5)


def test_a_policy_that_moved_has_another_loss_and_a_kl_above_zero(
    base: BaseModel, sampler: Sampler
) -> None:
    found = measured(base, sampler, 0.05)
    before, after, kl = (sum(found[key]) for key in ("before", "after", "kl"))
    assert abs(after - before) > 0.01 * SUMS
    assert kl > 0.01 * PROBLEMS


def test_losses_are_those_of_transformers_own_forward_pass(
    base: BaseModel, sampler: Sampler
) -> None:
    _, families = _held_out(base.tokenizer)
    found = measured(base, sampler, 0.0)["before"]
    for (prompt, (answer,), _), loss in zip(families[:4], found, strict=False):
        tokens = torch.tensor([[*prompt, *answer]])
        with torch.no_grad():
            logprobs = base.sharing_copy()(tokens).logits[0].log_softmax(-1)
        places = range(len(prompt) - 1, tokens.shape[1] - 1)
        expected = [logprobs[p, tokens[0, p + 1]].item() for p in places]
        assert loss == pytest.approx(-math.fsum(expected) / len(answer), abs=1e-4)


def test_a_model_that_writes_words_reads_prose_and_one_that_cannot_reads_sums(
    base: BaseModel,
) -> None:
    class Characters:
        """A tokenizer of all characters."""

        def __call__(self, text: str):
            return type("Encoded", (), {"input_ids": [ord(letter) for letter in text]})

        def decode(self, tokens: list[int]) -> str:
            return "".join(map(chr, tokens))

    text, passages = _held_out(Characters())
    assert (text, len(passages)) == ("prose", 16)
    assert min(len(rest) for _, (rest,), _ in passages) > 200
    assert _held_out(base.tokenizer)[0] == "sums"
    file = Path(__file__).parents[2] / "src" / "verirank" / "evaluation" / "prose.txt"
    assert file.read_text("utf-8").isascii()
