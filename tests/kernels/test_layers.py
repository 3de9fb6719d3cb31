"""Norms and MLPs are as exact as transformers', and keep less for the backward pass."""

from __future__ import annotations

import ast
import copy
import re
from pathlib import Path

import pytest
import torch
import transformers
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.models.gemma2.modeling_gemma2 import Gemma2RMSNorm
from transformers.models.llama.configuration_llama import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaMLP, LlamaRMSNorm
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm

from keeping import kept_bytes
from verirank.config import ModelConfig, resolve
from verirank.kernels import fuse_layers, plain_gate, plain_rms_norm
from verirank.kernels._layers import _LLAMA_MLPS, _LLAMA_NORMS, RMSNorm, SwiGLU
from verirank.methods import Policy
from verirank.models import load_base, shape_of
from verirank.models._shape import _AS_LLAMA
from verirank.training import CompletionLogprobs

H = 96


class Model(nn.Module):
    """As much of a model as is looked at: its dtype and its modules."""

    def __init__(self, part: nn.Module, dtype: torch.dtype = torch.bfloat16) -> None:
        super().__init__()
        self.part = part
        self.dtype = dtype


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


@pytest.mark.parametrize("gain", [torch.bfloat16, torch.float32])
def test_a_bf16_norm_and_its_gradients_are_no_further_from_fp32s_than_llamas(
    gain: torch.dtype,
) -> None:
    theirs = norm(gain)
    ours = copy.deepcopy(theirs)
    fuse_layers(Model(ours))
    assert type(ours) is RMSNorm
    x = 3 * torch.randn(2, 50, H, generator=torch.Generator().manual_seed(0))
    x = x.bfloat16()
    exact = computed(copy.deepcopy(theirs).float(), x.float())
    for right, their, our in zip(exact, computed(theirs, x), computed(ours, x), strict=True):
        assert our.dtype == their.dtype
        torch.testing.assert_close(our.float(), right, rtol=0.02, atol=0.02 * right.abs().max())
        assert (our - right).norm() <= 1.02 * (their - right).norm()


@pytest.mark.parametrize("size", [1.0, 3e-3, 0.0], ids=["usual", "as epsilon", "nothing"])
def test_what_a_norm_computes_backward_is_autograds_to_fp32s_rounding(size: float) -> None:
    theirs = norm(torch.float32)
    x = size * torch.randn(7, H, generator=torch.Generator().manual_seed(0))
    ours = copy.deepcopy(theirs)
    ours.__class__ = RMSNorm
    for their, our in zip(computed(theirs, x), computed(ours, x), strict=True):
        torch.testing.assert_close(our, their, rtol=1e-5, atol=1e-5 * float(their.abs().max()))


def kept(by: nn.Module) -> int:
    """Return the bytes that are kept for the backward pass of a thousand tokens."""
    x = torch.ones(1000, H, dtype=torch.bfloat16, requires_grad=True)
    return kept_bytes(lambda: by(x))


def test_a_norm_keeps_half_as_much() -> None:
    theirs = norm(torch.bfloat16).requires_grad_(False)
    ours = copy.deepcopy(theirs)
    fuse_layers(Model(ours))
    assert kept(ours) < 0.55 * kept(theirs)


def mlp(act: str, dtype: torch.dtype) -> LlamaMLP:
    config = LlamaConfig(hidden_size=H, intermediate_size=4 * H, hidden_act=act)
    torch.manual_seed(0)
    return LlamaMLP(config).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_mlp_computes_the_same_bits_forward_and_backward(dtype: torch.dtype) -> None:
    theirs = mlp("silu", dtype)
    ours = copy.deepcopy(theirs)
    fuse_layers(Model(ours, dtype))
    assert type(ours) is SwiGLU
    x = torch.randn(2, 50, H, generator=torch.Generator().manual_seed(0)).to(dtype)
    for made in (ours, theirs):
        made.zero_grad()
        made(x.requires_grad_()).square().sum().backward()
    pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
    assert all(torch.equal(our.grad, their.grad) for our, their in pairs)


def test_an_mlp_keeps_a_fifth_less() -> None:
    theirs = mlp("silu", torch.bfloat16).requires_grad_(False)
    ours = copy.deepcopy(theirs)
    fuse_layers(Model(ours))
    assert kept(ours) < 0.8 * kept(theirs)


def test_an_mlp_with_another_activation_stays() -> None:
    model = Model(mlp("gelu", torch.bfloat16))
    fuse_layers(model)
    assert type(model.part) is LlamaMLP


def test_a_norm_of_another_formula_stays_and_one_under_another_name_does_not() -> None:
    model = Model(nn.ModuleList([Gemma2RMSNorm(H), nn.LayerNorm(H), Qwen3RMSNorm(H)]))
    fuse_layers(model)
    assert [type(one) for one in model.part] == [Gemma2RMSNorm, nn.LayerNorm, RMSNorm]


def forwards(of: frozenset[str]) -> dict[str, set[str]]:
    """Return the code of the forward passes of all of transformers' classes of these names."""
    found: dict[str, set[str]] = {name: set() for name in of}
    for file in Path(transformers.__file__).parent.glob("models/*/modeling_*.py"):
        text = file.read_text("utf-8")
        for name in of:
            if f"class {name}(" in text:
                found[name].add(forward_of(name, text))
    return found


def forward_of(name: str, source: str) -> str:
    (kind,) = (n for n in ast.parse(source).body if isinstance(n, ast.ClassDef) and n.name == name)
    (forward,) = (n for n in kind.body if isinstance(n, ast.FunctionDef) and n.name == "forward")
    argument = forward.args.args[1].arg  # the same code under another name of its argument
    code = re.sub(rf"\b{argument}\b", "x", ast.unparse(ast.Module(forward.body, [])))
    return re.sub(r"^(\w+) = (.*)\nreturn \1$", r"return \2", code)


@pytest.mark.parametrize(
    ("names", "like"), [(_LLAMA_NORMS, "LlamaRMSNorm"), (_LLAMA_MLPS, "LlamaMLP")]
)
def test_every_class_in_the_registry_computes_what_llamas_does(
    names: frozenset[str], like: str
) -> None:
    code = forwards(names)
    assert len(code[like]) == 1
    assert {name: found for name, found in code.items() if found != code[like]} == {}


def test_the_plain_formulas_are_those_of_llama() -> None:
    x = torch.randn(5, H, generator=torch.Generator().manual_seed(0))
    theirs = norm(torch.float32)
    torch.testing.assert_close(plain_rms_norm(x, theirs.weight, 1e-5), theirs(x))
    gated = mlp("silu", torch.float32)
    gate = plain_gate(gated.gate_proj(x), gated.up_proj(x))
    torch.testing.assert_close(gated.down_proj(gate), gated(x))


@pytest.mark.parametrize("kind", _AS_LLAMA)
def test_plans_know_the_models_whose_layers_are_replaced(kind: str) -> None:
    config = AutoConfig.for_model(
        kind,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        vocab_size=50,
        pad_token_id=0,
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    fuse_layers(model)
    parts = {type(m) for m in model.modules() if type(m).__name__.endswith(("Norm", "MLP", "GLU"))}
    assert parts == {RMSNorm, SwiGLU}
    assert shape_of(config).llamas_layers


def test_plans_know_that_gemmas_layers_are_not() -> None:
    assert not shape_of(AutoConfig.for_model("gemma", hidden_size=32)).llamas_layers


@pytest.mark.parametrize(("dtype", "fused"), [("bfloat16", True), ("float32", False)])
@pytest.mark.parametrize("method", ["lora", "ln-tuning"])
def test_for_training_all_mlps_and_a_narrow_models_norms_are_fused_and_the_bases_never(
    dtype: str, method: str, fused: bool
) -> None:
    base = load_base(ModelConfig(name="micro", dtype=dtype))
    config = resolve({"method": {"name": method}}).method
    policy = Policy.create(base, config, seed=0, total_steps=1)
    CompletionLogprobs(policy.model, 1.0)

    def having(model: nn.Module, attribute: str) -> list[type]:
        return [type(m) for m in model.modules() if hasattr(m, attribute)]

    for attribute, ours, replaced in (
        ("variance_epsilon", RMSNorm, fused),
        ("act_fn", SwiGLU, True),
    ):
        trained, plain = (having(m, attribute) for m in (policy.model, base.model))
        assert all((kind is ours) is replaced for kind in trained)
        assert len(trained) >= len(plain) > 0
        assert ours not in plain
