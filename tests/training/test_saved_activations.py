"""What a plan counts a layer to save of a token, beside what autograd saves."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import transformers

from keeping import kept_bytes
from verirank.config import ModelConfig, resolve
from verirank.models import BaseModel
from verirank.planning import Lengths, memory_of
from verirank.sampling import Completion, TransformersSampler
from verirank.training import Trainer
from verirank.training._batch import pack
from verirank.verifier import Verifier

BYTES = {"bfloat16": 2, "float32": 4}
PLANS = [
    ("Llama", "lora", "bfloat16"),
    ("Llama", "lora", "float32"),
    ("Llama", "dora", "bfloat16"),
    ("Llama", "full", "bfloat16"),
    ("Llama", "full", "float32"),
    ("Qwen3", "lora", "bfloat16"),
    ("Qwen3", "full", "float32"),
]


def trainer(
    base: BaseModel, verifier: Verifier, layers: int, family: str, method: str, dtype: str
) -> Trainer:
    """Return a trainer of random weights, wide enough for the adapter's own rank to be little."""
    dimensions = getattr(transformers, f"{family}Config")(
        vocab_size=64,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=layers,
        num_attention_heads=3,
        num_key_value_heads=1,
        head_dim=64,
        tie_word_embeddings=True,
        eos_token_id=None,
    )
    model = transformers.AutoModelForCausalLM.from_config(dimensions, dtype=getattr(torch, dtype))
    model.eval().requires_grad_(False)
    made = BaseModel(ModelConfig(name="random", dtype=dtype), "random", model, base.tokenizer)
    rank = {} if method == "full" else {"rank": 2}
    config = resolve(
        {"model": {"name": "micro", "dtype": dtype}, "method": {"name": method, **rank}}
    )
    return Trainer(config, made, TransformersSampler(made), verifier)


@pytest.mark.parametrize(("family", "method", "dtype"), PLANS)
def test_a_layer_saves_of_a_token_what_is_planned(
    base: BaseModel, verifier: Verifier, family: str, method: str, dtype: str
) -> None:
    short, long = 64, 128

    def saved(layers: int, tokens: int) -> tuple[float, float]:
        one = trainer(base, verifier, layers, family, method, dtype)
        made = Completion((2,) * 8, (3,) * (tokens - 8), (0.0,) * (tokens - 8), "", False, 0)
        with one.policy.autocast():
            measured = kept_bytes(
                partial(one.logprobs, pack([[(made, 1.0)]])), one.policy.model.parameters()
            )
        alone = one.config.sampling.model_copy(update={"problems_per_step": 1, "group_size": 1})
        trial = one.config.model_copy(update={"sampling": alone})
        lengths = Lengths(8, tokens - 8)
        return measured, memory_of(trial, one.policy.base.shape, lengths).activations

    of_one = [b - a for a, b in zip(saved(1, short), saved(1, long), strict=True)]
    of_two = [b - a for a, b in zip(saved(2, short), saved(2, long), strict=True)]
    measured, planned = (
        (two - one) / (long - short) / BYTES[dtype] for one, two in zip(of_one, of_two, strict=True)
    )
    assert planned == pytest.approx(measured, rel=0.05)
