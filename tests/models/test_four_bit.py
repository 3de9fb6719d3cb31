"""A frozen base in 4 bits: adapters train over it, and are published over it dequantised."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

import verirank as api
from command_line import verirank
from verirank.config import InputError, ModelConfig, TrainingConfig, resolve
from verirank.export import write_policy
from verirank.kernels import Sequences
from verirank.methods import Policy, check_method, plain_model
from verirank.models import BaseModel, FourBitLinear, load_base, load_shape
from verirank.planning import memory_of, usual_lengths
from verirank.sampling import TransformersSampler, sample_all
from verirank.training import CompletionLogprobs

pytest.importorskip("bitsandbytes")
NF4 = ModelConfig(quantization="nf4")
TOKENS = torch.tensor([[3, 5, 7, 9, 4]])
METHODS = ["lora", "dora", "rslora", "lora-fa", "lora-plus", "adalora", "vera", "miss", "ia3"]


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base(NF4)


def test_the_linears_hold_4_bits_and_nothing_else_changes(base: BaseModel) -> None:
    exact = load_base(ModelConfig())
    packed = {n: m for n, m in base.model.named_modules() if isinstance(m, FourBitLinear)}
    assert len(packed) == 7 * base.shape.layers
    for name, layer in packed.items():
        weight: Any = exact.model.get_submodule(name).weight
        assert layer.packed.numel() * 2 == weight.numel() and layer.packed.dtype == torch.uint8
        off = (layer.weight - weight).norm() / weight.norm()
        assert 0.01 < off < 0.15
    assert base.fingerprint() != exact.fingerprint()
    assert base.fingerprint() == load_base(NF4).fingerprint()
    assert dict(base.weights).keys() == dict(exact.weights).keys()


@pytest.mark.parametrize("method", [*METHODS, "ln-tuning"])
def test_methods_train_over_it_and_publish_dequantised_weights(
    base: BaseModel, method: str
) -> None:
    config = resolve({"method": {"name": method}}).method
    before = base.fingerprint()
    policy = Policy.create(base, config, seed=0, total_steps=3)
    assert sum(p.numel() for p in policy.trainable().values()) == policy.method.count(base.shape)
    logprobs = CompletionLogprobs(policy.model, 1.0, packed=True)
    sequences = Sequences.pack([([1, 5, 9], [[4, 7, 3, 2], [8, 6]])])
    optimizer = policy.optimizer(TrainingConfig(), 1e-2)
    for step in (1, 2):
        optimizer.zero_grad()
        logprobs(sequences)[0].sum().backward()
        policy.update(optimizer, step, 1.0)
    published = plain_model(policy, torch.float32)
    assert not any(isinstance(module, FourBitLinear) for module in published.modules())
    with torch.no_grad():
        found, expected = policy.model(TOKENS).logits, published(TOKENS).logits
        learned = (expected - base.model(TOKENS).logits).abs().max()
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert learned > 1e-3
    assert base.fingerprint() == before


def test_the_backward_pass_keeps_no_weight(base: BaseModel) -> None:
    layer = next(m for m in base.model.modules() if isinstance(m, FourBitLinear))
    x = torch.randn(3, layer.in_features, requires_grad=True)
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.append(t.numel()) or t, lambda t: t
    ):
        y = layer.product(x)
    assert not kept
    y.sum().backward()
    expected = torch.ones_like(y) @ layer.weight
    torch.testing.assert_close(x.grad, expected)


@pytest.mark.parametrize("method", ["full", "pissa", "milora", "olora"])
def test_what_needs_the_bases_own_weights_is_refused_in_one_line(
    base: BaseModel, method: str
) -> None:
    with pytest.raises(InputError, match=r"the base's own weights, which a 4-bit base does not"):
        Policy.create(base, resolve({"method": {"name": method}}).method, seed=0, total_steps=1)


def test_conformance_holds_and_names_the_base() -> None:
    report = check_method(resolve({}).method, NF4)
    assert report.passed, [check for check in report.checks if not check.passed]
    assert any("4-bit base dequantised" in check.detail for check in report.checks)


def test_the_sampler_serves_what_the_base_computes(base: BaseModel) -> None:
    sampler = TransformersSampler(base)
    (group,) = sample_all(sampler, ["1+2="], [[1, 2]], temperature=1.0, max_new_tokens=6, stop=None)
    for one in group:
        tokens = torch.tensor([[*one.prompt_tokens, *one.tokens]])
        with torch.no_grad():
            plain = base.model(tokens).logits[0].log_softmax(-1)[:-1]
        expected = plain.gather(1, tokens[0, 1:, None])[len(one.prompt_tokens) - 1 :, 0]
        torch.testing.assert_close(torch.tensor(one.logprobs), expected, atol=1e-4, rtol=1e-4)


def test_a_plan_counts_four_bits() -> None:
    config = resolve({"model": {"dtype": "bfloat16", "quantization": "nf4"}})
    shape, exact = load_shape(config.model), load_shape(ModelConfig(dtype="bfloat16"))
    lengths = usual_lengths(config)
    packed = sum(i * o for i, o in exact.adapted(config.method.modules))
    saved = memory_of(config, exact, lengths).base - memory_of(config, shape, lengths).base
    assert saved == packed * (2 - 0.5625)
    assert memory_of(config, shape, lengths).served > memory_of(config, exact, lengths).served


def stored(folder: Path) -> Path:
    """Save micro as bitsandbytes and transformers store 4 bits."""
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    exact = load_base(ModelConfig())
    bits = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32
    )
    model = AutoModelForCausalLM.from_pretrained(
        exact.source, quantization_config=bits, dtype=torch.float32, device_map="cpu"
    )
    model.save_pretrained(folder)
    exact.tokenizer.save_pretrained(folder)
    return folder


def test_a_folder_that_is_stored_in_4_bits_loads_as_it_is(base: BaseModel, tmp_path: Path) -> None:
    loaded = load_base(ModelConfig(name=str(stored(tmp_path / "four"))))
    assert loaded.is_four_bit and loaded.shape == base.shape
    assert load_shape(loaded.config) == loaded.shape
    with torch.no_grad():
        torch.testing.assert_close(
            loaded.model(TOKENS).logits, base.model(TOKENS).logits, atol=1e-3, rtol=1e-3
        )
    policy = Policy.create(loaded, resolve({}).method, seed=0, total_steps=1)
    write_policy(policy, "merged", tmp_path / "merged")
    assert not load_base(ModelConfig(name=str(tmp_path / "merged"))).is_four_bit


def test_an_adapter_over_4_bits_says_so_and_is_merged_into_no_other_base(
    base: BaseModel, tmp_path: Path
) -> None:
    policy = Policy.create(base, resolve({}).method, seed=0, total_steps=1)
    write_policy(policy, "adapter", tmp_path)
    for config in (ModelConfig(), NF4):
        with pytest.raises(InputError, match=r"over a base in 4 bits, .*as merged"):
            load_base(config.model_copy(update={"adapter": str(tmp_path)}))


def test_other_quantisations_are_refused_in_one_line(tmp_path: Path) -> None:
    exact = load_base(ModelConfig())
    exact.model.save_pretrained(tmp_path)
    exact.tokenizer.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for stored_as in ({"quant_method": "gptq", "bits": 4}, {"quant_method": "fp8"}):
        (tmp_path / "config.json").write_text(
            json.dumps(config | {"quantization_config": stored_as})
        )
        with pytest.raises(InputError, match=rf"stored quantised \({stored_as['quant_method']}\)"):
            load_base(ModelConfig(name=str(tmp_path)))


SIZES = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "vocab_size": 64}
SIZES |= {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16}


def graded(problem: object, completion: str) -> float:
    """Differ within a group: a random model solves nothing."""
    return sum(map(ord, completion)) % 7 / 7


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("llama", "lora"),
        pytest.param("qwen3", "dora", marks=pytest.mark.thorough),
        pytest.param("qwen3", "ia3", marks=pytest.mark.thorough),
    ],
)
def test_a_run_over_4_bits_is_resumed_scored_and_exported(
    kind: str, method: str, base: BaseModel, tmp_path: Path
) -> None:
    config = AutoConfig.for_model(kind, **SIZES, bos_token_id=0, eos_token_id=1, pad_token_id=2)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "model")
    base.tokenizer.save_pretrained(tmp_path / "model")
    problems = [{"problem": f"{a}+{a}=", "answer": 2 * a} for a in range(2, 50)]
    task = api.define_task(problems, reward=graded)
    settings = {"model.quantization": "nf4", "checkpoint.every": 1, "checkpoint.keep": 4}
    settings |= {"sampling.problems_per_step": 2, "sampling.max_new_tokens": 6}
    settings |= {"evaluation.problems": 2, "evaluation.samples": 1}
    model, straight = str(tmp_path / "model"), tmp_path / "straight"
    api.train(task, out=straight, method=method, model=model, steps=4, settings=settings)

    resumed = shutil.copytree(straight, tmp_path / "resumed")
    for gone in ("adapter", "checkpoints/step-3", "checkpoints/step-4"):  # as of a kill in step 3
        shutil.rmtree(resumed / gone)
    manifest = json.loads((resumed / "manifest.json").read_text())
    (resumed / "manifest.json").write_text(json.dumps(manifest | {"status": "running"}))
    run = api.train(task, out=resumed, method=method, model=model, steps=4, settings=settings)
    trained = "adapter/state.safetensors"
    assert (resumed / trained).read_bytes() == (straight / trained).read_bytes()

    assert 0 <= api.evaluate(run, samples=2)["test"]["avg_at_k"] <= 1
    tokens, exported = torch.tensor([[3, 5, 7, 9, 4]]), tmp_path / "merged"
    done = verirank("export", resumed, "--to", "merged", "--out", exported)
    assert done.returncode == 0, done.stderr
    merged = AutoModelForCausalLM.from_pretrained(exported)
    served = load_base(ModelConfig(name=str(exported)))
    torch.testing.assert_close(merged(tokens).logits, served.model(tokens).logits)
