"""Every check fails on a method that was broken on purpose, while the other checks pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from toy_model import save_mixture

from verirank.config import CONTENDERS, MethodConfig, ModelConfig
from verirank.methods import (
    Policy,
    Report,
    adapted_layers,
    check_method,
    check_methods,
    create_method,
    method_config,
)


class Broken(NamedTuple):
    """What is asked for, what is built instead, and the checks that must see it."""

    asked: dict[str, Any]
    factory: Any
    failing: set[str]


def with_hooks(**hooks: Any) -> Any:
    """Return a factory of policies whose method is the right one but for some of its hooks."""

    def factory(base, config, *, seed, total_steps, data) -> Policy:
        policy = Policy.create(base, config, seed=seed, total_steps=total_steps, data=data)
        kind = type(policy.method)
        return replace(policy, method=type(kind.__name__, (kind,), hooks)(config))

    return factory


def changed(change: Callable[[Policy], None]) -> Any:
    """Return a factory that changes a policy once it stands."""

    def factory(base, config, *, seed, total_steps, data) -> Policy:
        policy = Policy.create(base, config, seed=seed, total_steps=total_steps, data=data)
        change(policy)
        return policy

    return factory


def claimed(settings: dict[str, Any]) -> Any:
    """Return a factory that builds other settings, and says they are those asked for."""

    def factory(base, config, *, seed, total_steps, data) -> Policy:
        other = method_config(settings)
        policy = Policy.create(base, other, seed=seed, total_steps=total_steps, data=data)
        return replace(policy, method=create_method(config))

    return factory


class Momentum(Policy):
    def optimizer(self, training, learning_rate):
        return torch.optim.SGD(self.trainable().values(), lr=10 * learning_rate, momentum=0.9)


def adapt_values_for_keys(base, config, *, seed, total_steps, data) -> Policy:
    swapped = {"name": "ia3", "modules": ("v_proj", "down_proj")}
    return claimed(swapped)(base, config, seed=seed, total_steps=total_steps, data=data)


def add_a_tensor(policy: Policy) -> None:
    layer = next(iter(adapted_layers(policy.model).values()))
    layer.extra = torch.nn.Parameter(torch.ones(3))
    policy.method.penalty = lambda policy: layer.extra.square().sum()


def disturb_b(policy: Policy) -> None:
    for layer in adapted_layers(policy.model).values():
        layer.lora_B["default"].weight.data.add_(1e-3)


def train_beside_the_whole_base(policy: Policy) -> None:
    weights = policy.base.model.state_dict()
    for name, layer in adapted_layers(policy.model).items():
        layer.base_layer.weight.data = weights[f"{name}.weight"]


def publish_two_thirds(policy: Policy) -> None:
    layer = adapted_layers(policy.model)["model.layers.0.mlp.up_proj"]
    delta = layer.get_delta_weight
    layer.get_delta_weight = lambda adapter: delta(adapter) * 2 / 3


def publish_by_merging(policy: Policy) -> None:
    publish = policy.method.effective_weights

    def effective_weights(asked: Policy) -> Iterator[tuple[str, torch.Tensor]]:
        for layer in adapted_layers(asked.model).values():
            delta = layer.get_delta_weight("default")
            layer.base_layer.weight.data += delta
            layer.base_layer.weight.data -= delta
        yield from publish(asked)

    policy.method.effective_weights = effective_weights


def freeze_one_tensor(self, policy: Policy) -> None:
    next(iter(policy.trainable().values())).grad.zero_()


class Forgetful(Policy):
    def initial_state(self):
        return {}


class Redrawn(Policy):
    def initial_state(self):
        # What another decomposition may give: nearly the same components.
        return {n: t * (1.01 if n.endswith("A") else 1.0) for n, t in self.initial.items()}


def one_group(self, policy: Policy, rate: float) -> list[dict[str, Any]]:
    return [{"params": list(policy.trainable().values()), "lr": rate}]


class AdapterOff(Policy):
    @property
    def reference(self):
        class Residual(torch.nn.Module):
            def forward(_, **inputs):
                with self.model.disable_adapter():
                    return self.model(**inputs)

        return Residual()


def do_nothing(self, *arguments: Any) -> None:
    return


FRESH, OWN = "survives-a-fresh-process", "own-behaviour"
STARTS, PUBLISHED = "starts-at-base", "published-equals-forward"
REFERENCE, BASE = "reference-is-base", "base-unchanged"
PISSA, MILORA = {"name": "pissa"}, {"name": "milora"}
CASES = {
    "another peft flag with the same scale": Broken(
        {"name": "lora", "rank": 4, "alpha": 8.0},
        claimed({"name": "rslora", "rank": 4, "alpha": 4.0}),
        {"dispatch"},
    ),
    "another optimiser": Broken({"name": "lora"}, Momentum.create, {"dispatch"}),
    "an un-adapted module": Broken(
        {"name": "ia3", "modules": ("k_proj", "down_proj")},
        adapt_values_for_keys,
        # What was saved for the values cannot be loaded for the keys either.
        {"adapted-modules", FRESH},
    ),
    "an extra trainable tensor": Broken(
        {"name": "lora"}, changed(add_a_tensor), {"trainable-parameters"}
    ),
    "a start that is not the base": Broken({"name": "lora"}, changed(disturb_b), {STARTS}),
    "a forward pass that is not the published model's": Broken(
        {"name": "lora"},
        changed(publish_two_thirds),
        # Another process publishes the right weights.
        {PUBLISHED, FRESH},
    ),
    "a base that drifts by merging in place": Broken(
        {"name": "rslora"},
        changed(publish_by_merging),
        # A base that has drifted is neither the reference nor what another process reads.
        {BASE, REFERENCE, FRESH},
    ),
    "a tensor that never moves": Broken(
        {"name": "miss"}, with_hooks(project_gradients=freeze_one_tensor), {"every-tensor-moves"}
    ),
    "pissa whose residual was lost at initialisation": Broken(
        PISSA,
        changed(train_beside_the_whole_base),
        # Its published weights start at the base all the same; every later check sees it, too.
        {STARTS, PUBLISHED, OWN, FRESH},
    ),
    "milora whose residual was lost at initialisation": Broken(
        MILORA, changed(train_beside_the_whole_base), {STARTS, PUBLISHED, OWN, FRESH}
    ),
    "pissa without its residual": Broken(PISSA, Forgetful.create, {FRESH}),
    "milora without its residual": Broken(MILORA, Forgetful.create, {FRESH}),
    "pissa decomposed again": Broken(PISSA, Redrawn.create, {FRESH}),
    "milora decomposed again": Broken(MILORA, Redrawn.create, {FRESH}),
    "adalora whose ranks never move": Broken(
        {"name": "adalora"}, with_hooks(after_step=do_nothing), {OWN}
    ),
    "lora-plus without its ratio": Broken(
        {"name": "lora-plus"}, with_hooks(parameter_groups=one_group), {OWN}
    ),
    "lora-fa without its projection": Broken(
        {"name": "lora-fa"}, with_hooks(project_gradients=do_nothing), {OWN}
    ),
    "pissa's residual as the reference": Broken(PISSA, AdapterOff.create, {REFERENCE}),
    "milora's residual as the reference": Broken(MILORA, AdapterOff.create, {REFERENCE}),
}


def lora_instead(base, config, *, seed, total_steps, data) -> Policy:
    return Policy.create(base, MethodConfig(name="lora"), seed=seed, total_steps=total_steps)


def post_attention_norms_alone(base, config, *, seed, total_steps, data) -> Policy:
    def half(self, model) -> set[str]:
        return {n for n, _ in model.named_modules() if n.endswith("post_attention_layernorm")}

    kind = type(create_method(config))
    method = type("LNTuning", (kind,), {"targets": half})(config)
    model = method.attach(base.sharing_copy(), seed=seed, total_steps=total_steps).eval()
    return Policy(base, method, model, seed, total_steps, {})


HALF_OF_THE_NORMS = Broken(
    {"name": "ln-tuning"},
    post_attention_norms_alone,
    {"adapted-modules", "trainable-parameters", OWN},
)
OTHERS = sorted(set(CONTENDERS) - {"lora"})
ALL_LORA = {f"lora as {n}": Broken({"name": n}, lora_instead, {"dispatch"}) for n in OTHERS}
CLAIMING = ("dora", "rslora", "pissa", "milora", "adalora", "vera", "ia3", "miss")
ALL_CLAIMS = {
    f"lora that says it is {n}": Broken({"name": n}, claimed({"name": "lora"}), {"dispatch"})
    for n in CLAIMING
}


@pytest.fixture(scope="module")
def broken(toy_folder: Path) -> dict[str, Report]:
    """Check all cases at once: they share the process that loads what was saved."""
    cases = CASES | ALL_LORA | ALL_CLAIMS | {"half of the norms": HALF_OF_THE_NORMS}
    factories = iter([case.factory for case in cases.values()])

    def build(base, config, *, seed, total_steps, data) -> Policy:
        return next(factories)(base, config, seed=seed, total_steps=total_steps, data=data)

    configs = [method_config(case.asked) for case in cases.values()]
    reports = check_methods(configs, ModelConfig(name=str(toy_folder)), build)
    return dict(zip(cases, reports, strict=True))


def failing(report: Report) -> dict[str, str]:
    return {check.name: check.detail for check in report.checks if not check.passed}


@pytest.mark.parametrize("case", CASES)
def test_exactly_the_check_meant_for_it_catches(case, broken):
    found = failing(broken[case])
    assert found.keys() == CASES[case].failing, found
    assert not broken[case].passed


def test_every_check_has_a_case_that_fails_it(broken):
    caught = set().union(*(case.failing for case in CASES.values()))
    assert caught == {check.name for check in next(iter(broken.values())).checks}


def test_the_details_say_what_is_wrong(broken):
    def detail(case: str, name: str) -> str:
        return next(check.detail for check in broken[case].checks if check.name == name)

    missing = "not adapted: model.layers.0.self_attn.k_proj"
    assert missing in detail("an un-adapted module", "adapted-modules")
    assert "lacks initial.safetensors" in detail("pissa without its residual", FRESH)
    assert detail("another optimiser", "dispatch") == "optimiser SGD"


@pytest.mark.parametrize("case", ALL_LORA)
def test_plain_lora_trained_under_another_name_is_caught(case, broken):
    assert "dispatch" in failing(broken[case])


@pytest.mark.parametrize("case", ALL_CLAIMS)
def test_plain_lora_that_claims_to_be_another_method_is_caught(case, broken):
    assert "dispatch" in failing(broken[case])


def test_ln_tuning_of_the_post_attention_norms_alone_is_caught(broken):
    assert failing(broken["half of the norms"]).keys() >= HALF_OF_THE_NORMS.failing


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> ModelConfig:
    return save_mixture(tmp_path_factory.mktemp("mixture"), chooses=True)


def experts_layers(policy: Policy, number: str = "") -> list[Any]:
    layers = adapted_layers(policy.model).items()
    return [layer for name, layer in layers if f".experts.{number}" in name]


def skip_the_experts_adapters(policy: Policy) -> None:
    for layer in experts_layers(policy):
        layer.forward = layer.base_layer.forward


def skip_one_experts_adapters(policy: Policy) -> None:
    for layer in experts_layers(policy, "0."):
        layer.forward = layer.base_layer.forward


def multiply_by_the_whole_stacks(policy: Policy) -> None:
    plain = dict(policy.base.sharing_copy().named_modules())
    for name, module in policy.model.named_modules():
        if name.endswith(".experts"):
            module.forward = plain[name.removeprefix("base_model.model.")].forward


def detach_a_of_the_experts(policy: Policy) -> None:
    for layer in experts_layers(policy):
        a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
        scale = layer.scaling["default"]
        layer.forward = lambda x, base=layer.base_layer, a=a, b=b, scale=scale: (
            base(x) + scale * x @ a.detach().T @ b.T
        )


TAKING_NO_PART = {
    "every expert's adapters": (skip_the_experts_adapters, "experts.0.gate_up_proj"),
    "one expert's adapters": (skip_one_experts_adapters, "experts.0.gate_up_proj"),
    "the experts' own forward pass": (multiply_by_the_whole_stacks, "experts.0.gate_up_proj"),
    "one matrix of the experts": (detach_a_of_the_experts, "lora_A"),
}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=() if case == "one expert's adapters" else pytest.mark.thorough)
        for case in TAKING_NO_PART
    ],
)
def test_adapters_of_experts_that_take_no_part_are_caught(case: str, mixture: ModelConfig) -> None:
    change, said = TAKING_NO_PART[case]
    found = failing(check_method(MethodConfig(name="lora"), mixture, changed(change)))
    # Another process steps with the right forward pass.
    assert found.keys() - {FRESH} == {"every-tensor-moves"}, found
    assert said in found["every-tensor-moves"]


@pytest.mark.parametrize("method", ["lora", "ia3"])
def test_experts_without_a_token_are_no_fault(method: str, tmp_path: Path) -> None:
    report = check_method(MethodConfig(name=method), save_mixture(tmp_path, chooses=False))
    assert not failing(report)
    moved = next(check.detail for check in report.checks if check.name == "every-tensor-moves")
    assert moved.endswith("of experts without a token")


def train_in_the_bases_dtype(policy: Policy) -> None:
    for parameter in policy.trainable().values():
        parameter.data = parameter.data.to(policy.base.dtype)


def test_parameters_trained_in_bf16_are_caught_where_the_trial_has_a_bf16_base(toy_folder):
    model = ModelConfig(name=str(toy_folder), dtype="bfloat16")
    report = check_method(MethodConfig(name="ia3"), model, changed(train_in_the_bases_dtype))
    found = failing(report)
    assert found.keys() == {"trainable-parameters"}
    assert found["trainable-parameters"].endswith("torch.bfloat16")
