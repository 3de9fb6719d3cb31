"""The plain model of a policy, in another dtype than the base's."""

from __future__ import annotations

import torch

from verirank.config import MethodConfig
from verirank.methods import Policy, plain_model


def test_the_frequencies_of_rotary_embeddings_stay_fp32_under_bf16_weights(toy):
    policy = Policy.create(toy, MethodConfig(name="lora"), seed=0, total_steps=3)
    plain = plain_model(policy, torch.bfloat16)
    assert {p.dtype for p in plain.parameters()} == {torch.bfloat16}
    frequencies = dict(toy.model.named_buffers())
    assert frequencies
    assert all(torch.equal(b, frequencies[name]) for name, b in plain.named_buffers())
