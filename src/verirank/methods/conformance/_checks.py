"""The checks, each a question put to a rehearsal; the last one is in `_fresh_process`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from verirank.methods._method import Method
from verirank.methods._peft_method import ADAPTER, PeftMethod
from verirank.methods._plain_model import plain_model
from verirank.methods._policy import Policy
from verirank.methods.conformance._experts import excused, untrained_stacks
from verirank.methods.conformance._rehearsal import Rehearsal
from verirank.models import BaseModel, load_base

_FIRST_STEPS = 3
"""B starts at zero in most methods, so that A's gradient comes with the second step."""
_LOGITS_ROUNDING = 1e-4
"""Between equal fp32 models whose weights are made up differently; relative to the largest."""
_SET_BY_PEFT = {
    *("base_model_name_or_path", "revision", "rank_pattern", "inference_mode"),
    # peft shortens long lists of names; which modules it found is a check of its own.
    "target_modules",
}

Finding = tuple[bool, str]


def dispatch(rehearsal: Rehearsal) -> Finding:
    """The method, its settings, peft's flags and the optimiser are the requested ones."""
    policy, expected = rehearsal.policy, rehearsal.expected
    held = {id(p) for group in rehearsal.optimizer.param_groups for p in group["params"]}
    faults = {
        f"method {policy.method.name}": not isinstance(policy.method, type(expected))
        or policy.method.name != expected.name,
        "other settings": policy.config != expected.config,
        "no initial adapter": expected.initial_state(policy.model).keys() != policy.initial.keys(),
        f"optimiser {type(rehearsal.optimizer).__name__}": type(rehearsal.optimizer)
        is not torch.optim.AdamW,
        "optimiser holds other tensors": held != {id(p) for p in policy.trainable().values()},
        "dropout or training mode": _drops_out(policy),
    }
    faults |= dict.fromkeys(_other_flags(rehearsal), True)
    present = [fault for fault, is_there in faults.items() if is_there]
    return not present, "; ".join(present) or f"{expected.name}, AdamW, all flags as requested"


def _other_flags(rehearsal: Rehearsal) -> list[str]:
    """Return what differs between the settings that peft has and those it should have."""
    expected, model = rehearsal.expected, rehearsal.policy.model
    if not isinstance(expected, PeftMethod):
        return ["peft adapters"] if hasattr(model, "peft_config") else []
    steps, seed = rehearsal.policy.total_steps, rehearsal.policy.seed
    wanted = expected.peft_config(rehearsal.policy.original, seed=seed, total_steps=steps)
    actual = model.peft_config[ADAPTER]
    if type(actual) is not type(wanted):
        return [f"peft's {type(actual).__name__}"]
    there = asdict(actual)
    return [
        f"{key} = {there[key]}"
        for key, value in asdict(wanted).items()
        if key not in _SET_BY_PEFT and _plain(value) != _plain(there[key])
    ]


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, (set, list)) else value


def _drops_out(policy: Policy) -> bool:
    """Return whether some part is in training mode, or the method has added dropout to the base's.

    The base's own, as of GPT-2, does nothing in evaluation mode.
    """
    training = any(module.training for module in policy.model.modules())
    return training or _dropouts(policy.model) > _dropouts(policy.original)


def _dropouts(model: nn.Module) -> int:
    return sum(isinstance(m, nn.Dropout) and m.p > 0 for m in model.modules())


def adapted_modules(rehearsal: Rehearsal) -> Finding:
    """Exactly the requested modules hold trainable tensors."""
    return _adapted(rehearsal.policy, rehearsal.base, rehearsal.expected)


def _adapted(policy: Policy, base: BaseModel, expected: Method) -> Finding:
    wanted = expected.targets(policy.original)
    adapted = _holders(policy, shared=isinstance(expected, PeftMethod))
    missing, extra = sorted(wanted - adapted), sorted(adapted - wanted)
    faults = [
        f"{title}: {', '.join(names)}"
        for title, names in (("not adapted", missing), ("not asked for", extra))
        if names
    ]
    return not faults, "; ".join(faults) or f"{len(adapted)} modules"


def _holders(policy: Policy, *, shared: bool) -> set[str]:
    """Return the modules of the plain model that hold trainable tensors.

    Args:
        policy: the policy under test.
        shared: whether a tensor that several adapters hold counts for each of them; such a tensor
            may also stand in peft's wrapper, outside the model.
    """
    modules = {name for name, _ in policy.original.named_modules()}
    holders: dict[int, set[str]] = {}
    for name, tensor in policy.model.named_parameters(remove_duplicate=not shared):
        if tensor.requires_grad:
            holders.setdefault(id(tensor), set()).add(_module_of(name, modules))
    return {module for names in holders.values() for module in (names - {""} or names)}


def _module_of(parameter: str, modules: set[str]) -> str:
    """Return the module of the plain model in which an adapter's parameter stands."""
    name = parameter.removeprefix("base_model.model.")
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name


def trainable_parameters(rehearsal: Rehearsal) -> Finding:
    """As many parameters are trained as the closed form says, all in fp32.

    Where the trial's base is not fp32, this and the adapted modules are proven over that base, too.
    """
    expected = rehearsal.expected
    passed, detail = _counted(rehearsal.policy, rehearsal.base, expected)
    if rehearsal.requested.dtype == "float32":
        return passed, detail
    policy = rehearsal.over_requested_base()
    findings = [find(policy, policy.base, expected) for find in (_adapted, _counted)]
    details = "; ".join(said for _, said in findings)
    return (
        passed and all(present for present, _ in findings),
        f"{detail}; over a {rehearsal.requested.dtype} base: {details}",
    )


def _counted(policy: Policy, base: BaseModel, expected: Method) -> Finding:
    trainable = policy.trainable().values()
    trained, wanted = sum(p.numel() for p in trainable), expected.count(base.shape)
    dtypes = {p.dtype for p in trainable}
    passed = trained == wanted and dtypes == {torch.float32}
    return passed, f"{trained:,} trained, closed form {wanted:,}, {', '.join(map(str, dtypes))}"


def starts_at_base(rehearsal: Rehearsal) -> Finding:
    """Before the first step the effective weights are the base's, and so are the logits.

    The logits see what is trained on, such as a residual, which no published weight is made of.
    """
    off = _weights_off(rehearsal)
    adapted_NTV = rehearsal.logits(rehearsal.policy.model)
    gap, same = _compare(
        rehearsal,
        adapted_NTV,
        rehearsal.base_logits_NTV,
        lambda: load_base(rehearsal.model).model,
    )
    return off < 1e-6 and same, f"weights off by {off:.1e} (relative), logits by {gap:.1e}"


def _compare(
    rehearsal: Rehearsal,
    adapted_NTV: Tensor,
    plain_NTV: Tensor,
    plain: Callable[[], nn.Module],
) -> tuple[float, bool]:
    """Return how far the policy's logits are from a plain model's, and whether that is rounding.

    Where activations are large, fp32 itself errs by more than `_LOGITS_ROUNDING`, and by how much
    depends on the processor: what fp32 leaves open is asked again in fp64.
    """
    gap, same = _gap(adapted_NTV, plain_NTV)
    if not same:
        adapted = rehearsal.policy.model
        gap, same = _gap(rehearsal.exact_logits(adapted), rehearsal.exact_logits(plain()))
    return gap, same


def _gap(one: Tensor, other: Tensor) -> tuple[float, bool]:
    gap = float((one - other).abs().max())
    return gap, gap < _LOGITS_ROUNDING * max(1.0, float(other.abs().max()))


def _weights_off(rehearsal: Rehearsal) -> float:
    base, error = rehearsal.base.weights, 0.0
    for name, weight in rehearsal.policy.effective_weights():
        gap = (weight - base[name]).abs().max() / base[name].abs().max().clamp_min(1e-30)
        error = max(error, float(gap))
    return error


def every_tensor_moves(rehearsal: Rehearsal) -> Finding:
    """The first steps move every trainable tensor, but of experts that no token was sent to.

    Which experts have tokens is asked of the untouched base as well: adapters that take no part in
    the forward pass are not excused. In every layer at least one expert must move.
    """
    for _ in range(_FIRST_STEPS):
        rehearsal.step()
    now, policy = rehearsal.policy.trainable(), rehearsal.policy
    still = [name for name, tensor in rehearsal.start.items() if torch.equal(tensor, now[name])]
    plain, experts = {name for name, _ in policy.original.named_modules()}, rehearsal.experts
    modules = {name: _module_of(name, plain) for name in now}
    idle = excused(still, modules, experts, rehearsal.routed(), rehearsal.visits)
    untrained = untrained_stacks(still, modules, experts)
    faults = [name for name in still if name not in idle] + untrained
    moved, without = len(now) - len(still), f", {len(idle)} of experts without a token"
    said = f"{moved}/{len(now)} tensors moved{without if idle else ''}"
    return moved > 0 and not faults, said + _some(faults)


def _some(names: list[str]) -> str:
    return f", not {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}" if names else ""


def own_behaviour(rehearsal: Rehearsal) -> Finding:
    """The method does what sets it apart from the others."""
    return rehearsal.expected.behaviour(rehearsal.policy, rehearsal.step)


def published_equals_forward(rehearsal: Rehearsal) -> Finding:
    """A plain model with the published weights gives the logits of the adapted one."""
    published = plain_model(rehearsal.policy, torch.float32)
    adapted_NTV = rehearsal.logits(rehearsal.policy.model)
    published_NTV = rehearsal.logits(published)
    gap, same = _compare(rehearsal, adapted_NTV, published_NTV, lambda: published)
    learned = float((adapted_NTV - rehearsal.base_logits_NTV).abs().max())
    # A policy that has learned nothing would prove nothing.
    return same and gap < 0.05 * learned, f"logits differ by {gap:.1e}, learned {learned:.1e}"


def reference_is_base(rehearsal: Rehearsal) -> Finding:
    """The reference policy's logits are those of the base as it was read, to the bit."""
    base_NTV = rehearsal.base_logits_NTV
    reference_NTV = rehearsal.logits(rehearsal.policy.reference)
    gap = float((base_NTV - reference_NTV).abs().max())
    return torch.equal(base_NTV, reference_NTV), f"logits off the untouched base's by {gap:.1e}"


def base_unchanged(rehearsal: Rehearsal) -> Finding:
    """The base's bytes are what they were before steps and publishes."""
    now = rehearsal.base.fingerprint()
    kind = " of the 4-bit base dequantised" if rehearsal.base.is_four_bit else ""
    said = f"SHA-256{kind} {rehearsal.fingerprint[:12]}, now {now[:12]}"
    return now == rehearsal.fingerprint, said
