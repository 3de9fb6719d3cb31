"""Any causal language model of transformers trains and samples: packed where its form is known."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import MORE, TINY
from transformers import AutoConfig, AutoModelForCausalLM

from verirank.config import InputError, ModelConfig, TrainingConfig, resolve
from verirank.kernels import Sequences
from verirank.methods import Policy, check_method
from verirank.models import LINEARS, BaseModel, fold, load_base, norms_of, path_of
from verirank.models._shape import counts_of
from verirank.sampling import TransformersSampler, sample_all
from verirank.training import CompletionLogprobs

PACKED = {
    *("llama", "llama-biased", "qwen2", "qwen3", "mistral", "gemma", "helium", "smollm3"),
    *("seed-oss", "ernie4.5", "olmo", "olmo2", "glm", "glm4", "arcee", "apertus", "hunyuan"),
    *("phi3", "starcoder2", "phi", "mixtral", "qwen2-moe", "qwen3-moe", "olmoe"),
    *("gpt-neox", "opt"),
}
RANK: dict[str, dict[str, Any]] = {method: {"rank": 4} for method in ("lora", "dora", "pissa")}


# The module of GPT-BigCode compiles with it when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")


@cache
def micro() -> BaseModel:
    return load_base(ModelConfig())


@cache
def tiny(name: str, **changed: Any) -> BaseModel:
    """Return a base of an architecture, which no test changes."""
    kind, sizes = (TINY | MORE)[name]
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **{**sizes, **changed})
    model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():  # gains and biases, too, which start at 1 and 0
            parameter.add_(0.05 * torch.randn(parameter.shape))
    return replace(micro(), config=ModelConfig(name=name), model=model.eval().requires_grad_(False))


SLOW_STORED = [
    pytest.param(name, marks=pytest.mark.thorough) for name in sorted(MORE.keys() - {"rwkv"})
]
PACKED |= {
    *("dots1", "ernie4.5-moe", "phimoe", "glm4-moe", "hunyuan-moe", "bitnet", "persimmon"),
    *("granitemoe", "granitemoeshared", "flex-olmo", "jetmoe", "minimax-m2", "ministral3"),
}


@pytest.mark.parametrize("name", [*TINY, *SLOW_STORED])
def test_log_probabilities_of_trainer_and_sampler_are_those_of_the_plain_model(name: str) -> None:
    base = tiny(name)
    assert (base.form is None) == (name in PACKED), base.form
    expect_equal_logprobs(base)


def expect_equal_logprobs(base: BaseModel) -> None:
    """Hold trainer and sampler against the plain model."""
    prompts = ["1+2=", "12+30=", "3+4="]
    sampler = TransformersSampler(base)
    seeds = [[1, 2], [3, 4], [5, 6]]
    groups = sample_all(sampler, prompts, seeds, temperature=0.7, max_new_tokens=14, stop=None)
    families = [(group[0].prompt_tokens, [one.tokens for one in group]) for group in groups]
    completions = [one for group in groups for one in group]
    logprobs = CompletionLogprobs(base.sharing_copy(), 0.7, packed=base.form is None)
    with torch.no_grad():
        trained_NT = logprobs(Sequences.pack(families))
        for n, one in enumerate(completions):
            tokens = torch.tensor([[*one.prompt_tokens, *one.tokens]])
            plain = (base.model(tokens).logits[0] / 0.7).log_softmax(-1)[:-1]
            expected = plain.gather(1, tokens[0, 1:, None])[len(one.prompt_tokens) - 1 :, 0]
            found = trained_NT[n, : len(one.tokens)]
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(torch.tensor(one.logprobs), expected, atol=1e-5, rtol=1e-5)


WINDOWED = ("mistral-window", "gemma3", "gemma4", "olmo3")


@pytest.mark.parametrize("name", WINDOWED)
def test_a_window_that_no_sequence_reaches_is_full_attention(name: str) -> None:
    base = tiny(name, sliding_window=64)
    assert base.form is not None
    assert replace(base, longest=65).form is not None
    short = replace(base, longest=64)
    assert short.form is None
    expect_equal_logprobs(short)


@pytest.mark.parametrize("name", TINY)
def test_shapes_count_what_the_model_has(name: str) -> None:
    base = tiny(name)
    parameters = list(base.model.parameters())
    assert base.shape.parameters == sum(parameter.numel() for parameter in parameters)
    counted = counts_of(base.model)
    assert base.shape.norm_gains == counted.norm_gains
    of_model = sorted((i, o) for _, i, o, n in counted.linears for _ in range(n))
    assert sorted(base.shape.adapted(LINEARS)) == of_model


OUT_PROJ = {"falcon-h1", "mamba2", "nemotron-h"}
"""Models of whose state spaces peft refuses to adapt the output."""
ADAPTED = [
    *sorted(TINY.keys() - {"mamba"}),
    *(pytest.param(name, marks=pytest.mark.thorough) for name in sorted(MORE.keys() - {"rwkv"})),
]
METHODS = [
    *("full", "lora", "ln-tuning"),
    *(pytest.param(method, marks=pytest.mark.thorough) for method in ("dora", "pissa")),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ADAPTED)
def test_methods_train_and_publish_what_they_compute(name: str, method: str) -> None:
    base = tiny(name)
    if method == "ln-tuning" and not norms_of(base.model):
        pytest.skip("no norm of this model has a gain")
    settings = dict(RANK.get(method, {}))
    if name in OUT_PROJ and settings:
        settings["modules"] = ["!*out_proj"]
    config = resolve({"method": {"name": method, **settings}}).method
    try:
        policy = Policy.create(base, config, seed=0, total_steps=2)
    except InputError as error:  # of matrices that are smaller than the rank
        assert method == "pissa" and "singular values" in str(error)
        return
    trained = policy.trainable()
    assert sum(p.numel() for p in trained.values()) == policy.method.count(base.shape)
    logprobs = CompletionLogprobs(policy.model, 1.0, packed=base.form is None)
    sequences = Sequences.pack([([1, 5, 9], [[4, 7, 3, 2], [8, 6]])])
    optimizer = policy.optimizer(TrainingConfig(), 1e-2)
    for step in (1, 2):
        optimizer.zero_grad()
        logprobs(sequences)[0].sum().backward()
        policy.update(optimizer, step, 1.0)
    published = base.sharing_copy()
    weights = dict(policy.effective_weights())
    for key, parameter in published.named_parameters():
        if key in weights:
            parameter.data = weights[key]
    plain = CompletionLogprobs(published, 1.0, packed=False)
    untrained = CompletionLogprobs(base.sharing_copy(), 1.0, packed=False)
    with torch.no_grad():
        found, expected, before = (one(sequences) for one in (logprobs, plain, untrained))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert (expected - before).abs().max() > 1e-3


LEFT_OUT = {
    "!*experts*": {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"},
    "!self_attn.*": {"gate_proj", "up_proj", "gate_up_proj", "down_proj"},
}


@pytest.mark.parametrize("pattern", LEFT_OUT)
def test_a_pattern_leaves_layers_out(pattern: str) -> None:
    base = tiny("qwen2-moe")
    modules = [pattern]
    config = resolve({"method": {"name": "lora", "rank": 4, "modules": modules}}).method
    policy = Policy.create(base, config, seed=0, total_steps=1)
    adapted = {key.rpartition(".lora_")[0].rpartition(".")[2] for key in policy.trainable()}
    assert adapted == LEFT_OUT[pattern]
    assert sum(p.numel() for p in policy.trainable().values()) == policy.method.count(base.shape)
    assert any("experts" in key for key in policy.trainable()) == (pattern != "!*experts*")


def test_a_pattern_that_leaves_out_nothing_lists_the_layers() -> None:
    modules = ["!*expert.*"]
    config = resolve({"method": {"name": "lora", "modules": modules}}).method
    with pytest.raises(InputError, match=r"leaves out nothing; .* self_attn\.q_proj"):
        Policy.create(tiny("phi"), config, seed=0, total_steps=1)


@pytest.mark.parametrize("name", [name for name in TINY if "moe" in TINY[name][0]])
def test_experts_are_adapted_each_by_itself_and_routers_by_nothing(name: str) -> None:
    base = tiny(name)
    policy = Policy.create(base, resolve({}).method, seed=0, total_steps=1)
    assert any(".experts.0." in key for key in policy.trainable())
    weights = {key for key, _ in policy.effective_weights()}
    stacks = {location.name for location in base.locations.values()}
    assert stacks <= weights
    assert not any("router" in key or key.endswith("gate.weight") for key in weights)


@pytest.mark.parametrize("name", ["jamba", "mamba"])
def test_a_layer_whose_weight_is_read_without_a_call_is_not_adapted(name: str) -> None:
    base = tiny(name)
    assert any(key.endswith("dt_proj.weight") for key in base.weights)
    assert "dt_proj" not in base.shape.linears
    assert "in_proj" in base.shape.linears
    assert "dt_proj" in tiny("doge").shape.linears  # is called


def test_every_adapter_of_jamba_takes_part() -> None:
    base = tiny("jamba")
    config = resolve({"method": {"name": "lora", "rank": 4}}).method
    policy = Policy.create(base, config, seed=0, total_steps=1)
    tokens = torch.arange(3, 63).reshape(3, 20)
    policy.model(tokens).logits.log_softmax(-1)[..., 5].sum().backward()
    assert all(p.grad is not None for p in policy.trainable().values())


def test_the_output_of_a_state_space_is_refused_with_what_leaves_it_out() -> None:
    base = tiny("falcon-h1")
    with pytest.raises(InputError, match=r"leave it out: method.modules = .*!\*out_proj"):
        Policy.create(base, resolve({}).method, seed=0, total_steps=1)


def test_a_model_whose_own_passes_fail_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match=r"cannot be trained: .*rwkv fails .*; use another"):
        tiny("rwkv").expect_trainable()
    tiny("bloom").expect_trainable()


@pytest.mark.parametrize(("name", "caches"), [("recurrent-gemma", False), ("bloom", True)])
def test_a_cache_that_is_not_exact_is_not_used(name: str, caches: bool) -> None:
    base = tiny(name)
    assert base.caches == caches
    expect_equal_logprobs(base)


def test_a_models_own_dropout_is_no_fault_of_a_method(tmp_path: Path) -> None:
    base = tiny("gpt2")
    base.model.save_pretrained(tmp_path)
    base.tokenizer.save_pretrained(tmp_path)
    config = resolve({"method": {"name": "lora", "rank": 4}}).method
    report = check_method(config, ModelConfig(name=str(tmp_path)))
    assert report.passed, [check for check in report.checks if not check.passed]


def test_experts_that_are_used_otherwise_are_refused_in_one_line() -> None:
    base = tiny("mixtral")
    model = base.unfolded_copy()
    stack = model.get_submodule("model.layers.0.mlp.experts").gate_up_proj
    with pytest.raises(InputError, match=r"by einsum, .* leave them out: method.modules"):
        torch.einsum("eoi,ni->eno", stack, torch.ones(1, 32))


def test_a_module_that_is_missing_lists_those_that_are_there() -> None:
    config = resolve({"method": {"name": "lora", "modules": ["gate_proj"]}}).method
    with pytest.raises(InputError, match="no linear layer gate_proj; it has q_proj, k_proj"):
        Policy.create(tiny("phi"), config, seed=0, total_steps=1)


@pytest.mark.parametrize(
    ("name", "modules"),
    [("gpt-neox", ["query_key_value"]), ("phi", ["fc1", "q_proj"]), ("phi3", ["gate_up_proj"])],
)
def test_a_models_own_names_are_modules(name: str, modules: list[str]) -> None:
    base = tiny(name)
    config = resolve({"method": {"name": "lora", "rank": 4, "modules": modules}}).method
    policy = Policy.create(base, config, seed=0, total_steps=1)
    method: Any = policy.method
    adapted = {layer.rpartition(".")[2] for layer in method.low_rank_update(policy)}
    assert adapted == set(modules)
    assert sum(p.numel() for p in policy.trainable().values()) == policy.method.count(base.shape)


DEFAULTS = {
    "ia3": {"self_attn.k_proj", "self_attn.v_proj", "mlp.shared_expert.down_proj"},
    "beft": {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"},
}


@pytest.mark.parametrize("method", DEFAULTS)
def test_patterns_alone_leave_layers_out_of_the_methods_own_default(method: str) -> None:
    config = resolve({"method": {"name": method, "modules": ["!*experts*"]}}).method
    policy = Policy.create(tiny("qwen2-moe"), config, seed=0, total_steps=1)
    assert {*map(path_of, policy.method.targets(policy.original))} == DEFAULTS[method]
    trained = sum(p.numel() for p in policy.trainable().values())
    assert trained == policy.method.count(policy.base.shape)
    assert resolve({"method": config.model_dump()}).method == config


def test_all_linears_with_a_pattern_are_all_linears_of_ia3_too() -> None:
    modules = ["all-linear", "!*experts*"]
    config = resolve({"method": {"name": "ia3", "modules": modules}}).method
    policy = Policy.create(tiny("qwen2-moe"), config, seed=0, total_steps=1)
    paths = set(map(path_of, policy.method.targets(policy.original)))
    assert {path.rpartition(".")[2] for path in paths} == set(LINEARS)


def test_stacks_of_experts_may_differ_in_height_by_more_than_one() -> None:
    base = tiny("longcat")
    experts: Any = base.model.get_submodule("model.layers.0.mlp.experts")
    assert len(experts.gate_up_proj) == len(experts.down_proj) + 2
    heights = {p.name.rpartition(".")[2]: p.experts for p in base.locations.values()}
    assert heights == {"gate_up_proj": 6, "down_proj": 4}
    folded = dict(fold(base.unfolded.named_parameters(), base.locations))
    assert folded.keys() == {name for name, _ in base.model.named_parameters()}
    assert all(torch.equal(weight, base.weights[name]) for name, weight in folded.items())


IA3 = {
    "llama": {"k_proj", "v_proj", "down_proj"},
    "phi3": {"qkv_proj", "down_proj"},
    "gpt-neox": {"query_key_value", "dense_4h_to_h"},
    "opt": {"k_proj", "v_proj", "fc2"},
    "starcoder2": {"k_proj", "v_proj", "c_proj"},
    "mixtral": {"k_proj", "v_proj", "down_proj"},
    "gpt2": {"c_attn", "c_proj"},
}


@pytest.mark.parametrize("name", IA3)
def test_ia3_rescales_keys_values_and_feedforward_inputs_under_any_name(name: str) -> None:
    base = tiny(name)
    policy = Policy.create(base, resolve({"method": {"name": "ia3"}}).method, seed=0, total_steps=1)
    adapted = {key.rpartition(".ia3_l")[0].rpartition(".")[2] for key in policy.trainable()}
    assert adapted == IA3[name]
    assert not any("attn.c_proj" in key for key in policy.trainable())
    assert sum(p.numel() for p in policy.trainable().values()) == policy.method.count(base.shape)


def test_norms_without_gains_are_refused_in_one_line() -> None:
    config = resolve({"method": {"name": "ln-tuning"}}).method
    with pytest.raises(InputError, match="no norm of the model has a gain or a bias"):
        Policy.create(tiny("olmo"), config, seed=0, total_steps=1)


def test_the_page_of_architectures_names_all_of_them() -> None:
    page = (Path(__file__).parents[2] / "docs" / "architectures.md").read_text("utf-8")
    assert re.findall(r"(?m)^\| ([\w.-]+) \| `", page) == list(TINY | MORE)


def test_what_peft_refuses_is_one_line() -> None:
    with pytest.raises(InputError, match=r"peft cannot adapt this model: .*'out_proj'"):
        Policy.create(tiny("mamba"), resolve({}).method, seed=0, total_steps=1)
