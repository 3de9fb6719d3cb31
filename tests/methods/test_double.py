"""What fp32 leaves open in a proof is computed in fp64, a part of the model at a time."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from toy_model import save_mixture

from verirank.config import CONTENDERS, ModelConfig
from verirank.methods import Policy, method_config
from verirank.methods.conformance import Rehearsal


@pytest.mark.parametrize("name", CONTENDERS)
def test_a_part_at_a_time_gives_what_a_copy_in_fp64_gives_and_leaves_every_tensor(
    toy_folder, name: str
) -> None:
    model = ModelConfig(name=str(toy_folder))
    rehearsal = Rehearsal.prepare(method_config({"name": name}), model, Policy.create)
    for _ in range(2):
        rehearsal.step()
    policy = rehearsal.policy.model
    before = {key: tensor.data_ptr() for key, tensor in policy.state_dict().items()}
    expected = rehearsal.logits(deepcopy(policy).double())
    found = rehearsal.exact_logits(policy)
    assert found.dtype == torch.float64
    assert torch.equal(found, expected)
    assert {key: tensor.data_ptr() for key, tensor in policy.state_dict().items()} == before
    assert all(tensor.dtype == torch.float32 for tensor in policy.state_dict().values())


def test_a_plain_mixture_computes_in_fp64_what_the_policy_over_it_does(tmp_path: Path) -> None:
    model = save_mixture(tmp_path, chooses=True)
    rehearsal = Rehearsal.prepare(method_config({"name": "lora"}), model, Policy.create)
    plain = rehearsal.base.sharing_copy()
    found = rehearsal.exact_logits(plain)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, rehearsal.exact_logits(rehearsal.policy.model))
    assert torch.equal(rehearsal.logits(plain), rehearsal.base_logits_NTV)
