"""Norms of narrow models are as exact as transformers', and keep half as much."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from transformers.models.gemma2.modeling_gemma2 import Gemma2RMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm

from verirank.config import ModelConfig, resolve
from verirank.methods import Policy
from verirank.models import load_base
from verirank.training._logprobs import CompletionLogprobs
from verirank.training._norm import RMSNorm, fuse_norms

H = 96


class Narrow(nn.Module):
    """As much of a model as is looked at: its dtype and its modules."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm
        self.dtype = torch.bfloat16


def norm(gain: torch.dtype) -> LlamaRMSNorm:
    made = LlamaRMSNorm(H, eps=1e-5).to(gain)
    nn.init.uniform_(made.weight, 0.5, 2, generator=torch.Generator().manual_seed(1))
    return made


def computed(by: nn.Module, x: Tensor) -> list[Tensor]:
    """Return the output, and what one gradient of it is by x and by the gain."""
    x = x.clone().requires_grad_()
    y = by(x)
    grad = torch.randn(y.shape, generator=torch.Generator().manual_seed(2)).to(y.dtype)
    return [y.detach(), *torch.autograd.grad(y, [x, by.weight], grad)]


@pytest.mark.parametrize("gain", ["as narrow", "fp32"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_outputs_are_llamas_and_gradients_no_further_from_those_of_fp32(
    dtype: torch.dtype, gain: str
) -> None:
    theirs = norm(dtype if gain == "as narrow" else torch.float32)
    ours = copy.deepcopy(theirs)
    fuse_norms(Narrow(ours))
    assert type(ours) is RMSNorm
    x = 3 * torch.randn(2, 50, H, generator=torch.Generator().manual_seed(0))
    x = x.to(dtype)
    exact = computed(copy.deepcopy(theirs).float(), x.float())
    for right, their, our in zip(exact, computed(theirs, x), computed(ours, x), strict=True):
        assert our.dtype == their.dtype
        torch.testing.assert_close(our.float(), right, rtol=0.02, atol=0.02 * right.abs().max())
        assert (our - right).norm() <= 1.02 * (their - right).norm()


def test_what_is_computed_backward_is_the_formulas_to_fp32s_rounding() -> None:
    theirs, x = norm(torch.float32), torch.randn(7, H)
    ours = copy.deepcopy(theirs)
    ours.__class__ = RMSNorm
    for their, our in zip(computed(theirs, x), computed(ours, x), strict=True):
        torch.testing.assert_close(our, their, rtol=1e-5, atol=1e-5)


def test_half_as_much_is_kept_for_the_backward_pass() -> None:
    def kept(by: nn.Module) -> int:
        sizes: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            by(torch.ones(1000, H, dtype=torch.bfloat16, requires_grad=True))
        return sum(sizes.values())

    theirs = norm(torch.bfloat16).requires_grad_(False)
    ours = copy.deepcopy(theirs)
    fuse_norms(Narrow(ours))
    assert kept(ours) < 0.55 * kept(theirs)


def test_a_norm_of_another_formula_stays_and_one_under_another_name_does_not() -> None:
    model = Narrow(nn.ModuleList([Gemma2RMSNorm(H), nn.LayerNorm(H), Qwen3RMSNorm(H)]))
    fuse_norms(model)
    assert [type(one) for one in model.norm] == [Gemma2RMSNorm, nn.LayerNorm, RMSNorm]


@pytest.mark.parametrize(("dtype", "fused"), [("bfloat16", True), ("float32", False)])
@pytest.mark.parametrize("method", ["lora", "ln-tuning"])
def test_a_narrow_models_norms_are_all_fused_for_training_and_the_bases_never(
    dtype: str, method: str, fused: bool
) -> None:
    base = load_base(ModelConfig(name="micro", dtype=dtype))
    config = resolve({"method": {"name": method}}).method
    policy = Policy.create(base, config, seed=0, total_steps=1)
    CompletionLogprobs(policy.model, 1.0)

    def norms(model: nn.Module) -> list[type]:
        return [type(m) for m in model.modules() if hasattr(m, "variance_epsilon")]

    assert all((kind is RMSNorm) is fused for kind in norms(policy.model))
    assert len(norms(policy.model)) >= len(norms(base.model)) > 0
    assert RMSNorm not in norms(base.model)
