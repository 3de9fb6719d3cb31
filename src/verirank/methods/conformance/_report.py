"""The report on a method: all ten checks, in the order of the design."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from verirank.config import InputError, MethodConfig, ModelConfig, in_words
from verirank.methods._policy import Policy
from verirank.methods._storage import save_policy
from verirank.methods.conformance import _checks
from verirank.methods.conformance._checks import Finding
from verirank.methods.conformance._fresh_process import StandIn, digest, digests_elsewhere
from verirank.methods.conformance._rehearsal import PolicyFactory, Rehearsal, in_fp32

_REPORTED = (
    "dispatch",
    "adapted-modules",
    "trainable-parameters",
    "starts-at-base",
    "published-equals-forward",
    "base-unchanged",
    "every-tensor-moves",
    "survives-a-fresh-process",
    "own-behaviour",
    "reference-is-base",
)
_PERFORMED: dict[str, Callable[[Rehearsal], Finding]] = {
    "dispatch": _checks.dispatch,
    "adapted-modules": _checks.adapted_modules,
    "trainable-parameters": _checks.trainable_parameters,
    "starts-at-base": _checks.starts_at_base,
    "every-tensor-moves": _checks.every_tensor_moves,
    "own-behaviour": _checks.own_behaviour,
    "published-equals-forward": _checks.published_equals_forward,
    "reference-is-base": _checks.reference_is_base,
    "base-unchanged": _checks.base_unchanged,
}
_FRESH = "survives-a-fresh-process"


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check, with the numbers that it rests on."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of all checks of one method."""

    method: str
    passed: bool
    checks: tuple[Check, ...]


def check_method(
    config: MethodConfig, model: ModelConfig, factory: PolicyFactory = Policy.create
) -> Report:
    """Rehearse one method on a model, in fp32, and report on the ten checks.

    Args:
        config: the method and its settings.
        model: the base, read in fp32; where its `dtype` is another one, what is trained is proven
            over a base of that dtype, too.
        factory: builds the policy.

    Raises:
        InputError: the settings do not suit the model, or there is no such model.
        LostProcessError: the fresh process was killed, or failed by itself.
    """
    return check_methods([config], model, factory)[0]


def check_methods(
    configs: Sequence[MethodConfig],
    model: ModelConfig,
    factory: PolicyFactory = Policy.create,
    stand_in: StandIn | None = None,
    on_check: Callable[[], None] = lambda: None,
    on_unsuited: Callable[[str, InputError], None] | None = None,
) -> list[Report]:
    """Report on several methods; one fresh process loads what all of them saved.

    Arguments and errors are those of `check_method`; `stand_in` is that process, if there is one,
    and `on_check` is called before every check. `on_unsuited` is told of a method that does not
    suit the model, which is then left out; without it, and if none suits, that is an error.
    """
    with TemporaryDirectory() as scratch:
        rehearsed: dict[Path, tuple[str, dict[str, Finding], str]] = {}
        for index, config in enumerate(configs):
            folder = Path(scratch) / str(index)
            try:
                findings, here = _rehearse(config, model, factory, folder, on_check)
            except InputError as error:
                if on_unsuited is None or (index == len(configs) - 1 and not rehearsed):
                    raise
                on_unsuited(config.name, error)
                continue
            rehearsed[folder] = config.name, findings, here
        elsewhere = digests_elsewhere(in_fp32(model), list(rehearsed), stand_in)
    return [
        _report(name, {**findings, _FRESH: (here == there, _compared(here, there))})
        for (name, findings, here), there in zip(rehearsed.values(), elsewhere, strict=True)
    ]


def _rehearse(
    config: MethodConfig,
    model: ModelConfig,
    factory: PolicyFactory,
    folder: Path,
    on_check: Callable[[], None],
) -> tuple[dict[str, Finding], str]:
    """Perform the checks, save the policy, and return the findings and the published digest."""
    rehearsal = Rehearsal.prepare(config, model, factory)
    findings = dict[str, Finding]()
    for name, check in _PERFORMED.items():
        on_check()
        findings[name] = _finding(check, rehearsal)
    on_check()
    return findings, _saved(rehearsal.policy, folder)


def _saved(policy: Policy, folder: Path) -> str:
    """Return the digest of a policy that now stands in a folder, or why it has none."""
    try:
        save_policy(policy, folder)
        return digest(policy)
    except Exception as error:  # a policy that cannot be published has not survived
        return f"nothing: {in_words(error)}"


def _finding(check: Callable[[Rehearsal], Finding], rehearsal: Rehearsal) -> Finding:
    try:
        return check(rehearsal)
    except Exception as error:  # a check that cannot be carried out has not been passed
        return False, in_words(error)


def _compared(here: str, there: str) -> str:
    here, there = (text if " " in text else text[:12] for text in (here, there))
    return f"published {here}, elsewhere {there}"


def _report(method: str, findings: dict[str, Finding]) -> Report:
    checks = tuple(Check(name, *findings[name]) for name in _REPORTED)
    return Report(method, all(check.passed for check in checks), checks)
