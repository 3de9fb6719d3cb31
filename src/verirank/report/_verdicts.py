"""What a study's runs say to the claims of arXiv:2512.23165, and what became of each run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from verirank.record import as_row
from verirank.report._arms import Arm
from verirank.report._fates import RunFate, fates
from verirank.report._pairing import Pairing
from verirank.report.leaderboard import Leaderboard
from verirank.statistics import (
    Claim,
    Verdict,
    holm,
    judge_difference,
)

_SEED = 0
_ALPHA = 0.05
_MOST_ARMS = 100
"""Arms up to which every arm of a method is judged, not only that with its plain name."""
_EQUAL = 0.02
"""Avg@k within so much counts as the same, in shares of 1."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A claim, the arms that it is tested on, and the verdict; effects are in shares of 1.

    `p` is two-sided against the claim's boundary, and `p_holm` is corrected over all judgements.
    """

    claim: str
    part: str
    a: str
    b: str
    bench: str
    outcome: str
    effect: float
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The judgements that a study's arms allow, and what became of its runs."""

    judgements: tuple[Judgement, ...]
    runs: tuple[RunFate, ...]

    @property
    def why_none(self) -> str:
        """Why none of several claims is resolvable, empty where there is not one reason for all."""
        reasons = {judgement.reason for judgement in self.judgements}
        outcomes = {judgement.outcome for judgement in self.judgements}
        one = len(self.judgements) > 1 and len(reasons) == 1 and outcomes == {"not_resolvable"}
        return reasons.pop() if one else ""

    def as_json(self) -> dict[str, Any]:
        """Return the content of verdicts.json."""
        return {
            "claims": [as_row(judgement) for judgement in self.judgements],
            "runs": [as_row(run) for run in self.runs],
        }


def judge(board: Leaderboard) -> Verdicts:
    """Judge the paper's findings and ablations, each as a paired test.

    They are findings on averages over benches, and are tested on the average where there is one.

    A claim is tested between arms that share at least a seed and differ in nothing else than what
    it names; where a study has no such arms, it is left out. What one test alone resolves stands
    only if it still does after Holm's correction over all of them.
    """
    bench = board.benches[0]
    arms = [arm for arm in board.arms if arm.entered(bench)]
    pairing = Pairing(arms, bench)
    claims = [*_findings(arms), *_ablations(arms)]
    # A claim on methods is tested, and has a p-value, from two seeds on.
    tests = max(1, sum(len(_seeds(claim, pairing)) > 1 for claim in claims))
    found = [(claim, _verdict(claim, pairing, tests)) for claim in claims]
    runs = fates(board.arms, board.not_scored, board.sampled[0])
    return Verdicts(tuple(_corrected(found, bench)), tuple(runs))


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A claim on arm a less arm b, or less the base."""

    claim: str
    part: str
    test: Claim
    a: Arm
    b: Arm | None


def _corrected(found: list[tuple[_Claimed, Verdict]], bench: str) -> Iterator[Judgement]:
    """Yield the judgements with Holm's p-values, and none resolved that these do not resolve."""
    tested = [verdict.p for _, verdict in found if verdict.p is not None]
    adjusted = iter(holm(tested).tolist() if tested else [])
    for claimed, verdict in found:
        p_holm = None if verdict.p is None else next(adjusted)
        if p_holm is not None and p_holm > _ALPHA and verdict.outcome != "not_resolvable":
            reason = f"alone it would be {verdict.outcome}; not among {len(tested)} tests"
            if verdict.remedy:
                reason += f": {verdict.remedy.sentence}"
            verdict = replace(verdict, outcome="not_resolvable", reason=reason)
        yield Judgement(
            claim=claimed.claim,
            part=claimed.part,
            a=claimed.a.label,
            b=claimed.b.label if claimed.b else "base",
            bench=bench,
            outcome=verdict.outcome,
            effect=verdict.effect,
            low=verdict.interval.low if verdict.interval else None,
            high=verdict.interval.high if verdict.interval else None,
            p=verdict.p,
            p_holm=p_holm,
            reason=verdict.reason,
        )


def _findings(arms: Sequence[Arm]) -> Iterator[_Claimed]:
    above, below, same = Claim("above", 0.0), Claim("below", 0.0), Claim("within", _EQUAL)
    one, two, three = (
        "Structural variants beat LoRA (finding 1)",
        "SVD initialisations collapse (finding 2)",
        "Too few parameters hit a floor (finding 3)",
    )
    for a, b in _pairs(arms, ("dora", "adalora", "miss"), "lora"):
        yield _Claimed(one, f"{a.label} beats {b.label}", above, a, b)
    for a, b in _pairs(arms, ("dora",), "full"):
        yield _Claimed(one, f"{a.label} beats {b.label}", above, a, b)
    for arm in _of_methods(arms, ("pissa", "milora")):
        yield _Claimed(two, f"{arm.label} ends below the base", below, arm, None)
    for a, b in _pairs(arms, ("vera", "ia3", "ln-tuning"), "lora"):
        yield _Claimed(three, f"{a.label} stays below {b.label}", below, a, b)
    for arm in _of_methods(arms, ("lora",)):
        if arm.settings.get("method.rank") == 1:
            yield _Claimed(three, f"{arm.label} is as the base at rank 1", same, arm, None)


def _of_methods(arms: Sequence[Arm], methods: Sequence[str]) -> Iterator[Arm]:
    """Yield the arms of some methods; of very many arms only those with a method's plain name."""
    for method in methods:
        for arm in arms:
            if arm.method == method and (len(arms) <= _MOST_ARMS or arm.label == method):
                yield arm


def _pairs(arms: Sequence[Arm], methods: Sequence[str], other: str) -> Iterator[tuple[Arm, Arm]]:
    """Yield the arms of some methods, each with those of another that it may be held against."""
    others = list(_of_methods(arms, (other,)))
    for arm in _of_methods(arms, methods):
        found = [one for one in others if _comparable(arm, one)]
        # Each method may have a learning rate of its own; where several fit, it is the same.
        rate = arm.settings.get("method.learning_rate")
        same = [one for one in found if one.settings.get("method.learning_rate") == rate]
        yield from ((arm, one) for one in (found if len(found) == 1 else same))


def _comparable(a: Arm, b: Arm) -> bool:
    """Return whether two methods' arms differ in what belongs to the methods alone.

    Each under its plain name is the method as the study sets it; else what both have is the same.
    """
    plain = a.label == a.method and b.label == b.method
    own = {"method.name", "method.learning_rate"}
    both = {key for key in a.settings.keys() & b.settings.keys() if key.startswith("method.")}
    alike = all(a.settings[key] == b.settings[key] for key in both - own)
    return a.beside_method == b.beside_method and (plain or alike)


def _ablations(arms: Sequence[Arm]) -> Iterator[_Claimed]:
    """Judge the four ablation claims on every pair of arms that differ in that setting alone."""
    above, equal = Claim("above", 0.0), Claim("within", _EQUAL)
    for key, name, claim, order in (
        ("sampling.problems_per_step", "A small batch is better (ablation)", above, _descending),
        ("algorithm.name", "The algorithm hardly matters (ablation)", equal, _from_grpo),
        ("method.learning_rate", "A higher learning rate is better (ablation)", above, _ascending),
        ("method.rank", "A higher rank is better (ablation)", above, _ascending),
    ):
        for first, second, words in _pairs_along(arms, key, order):
            part = f"{first.method}, {key.removesuffix('.name').split('.')[-1]} {words}"
            yield _Claimed(name, part, claim, second, first)


_Order = Callable[[list[Any]], list[tuple[Any, Any]]]


def _ascending(values: list[Any]) -> list[tuple[Any, Any]]:
    ordered = sorted(values)
    return list(pairwise(ordered))


def _descending(values: list[Any]) -> list[tuple[Any, Any]]:
    return [(b, a) for a, b in _ascending(values)]


def _from_grpo(values: list[Any]) -> list[tuple[Any, Any]]:
    return [("grpo", value) for value in sorted(values) if value != "grpo" and "grpo" in values]


def _pairs_along(arms: Sequence[Arm], key: str, order: _Order) -> Iterator[tuple[Arm, Arm, str]]:
    """Yield arms that differ in `key` alone, with the change in words."""
    families: dict[str, dict[Any, list[Arm]]] = {}
    for arm in arms:
        settings = dict(arm.settings)
        value = settings.pop(key, None)
        if value is not None:
            if key == "algorithm.name":
                # Each algorithm's own clipping and rounds come with its name.
                settings = {k: v for k, v in settings.items() if not k.startswith("algorithm.")}
            family = families.setdefault(repr(sorted(settings.items())), {})
            family.setdefault(value, []).append(arm)
    for family in families.values():
        for a, b in order(list(family)):
            yield from ((one, two, f"{a} to {b}") for one in family[a] for two in family[b])


def _seeds(claimed: _Claimed, pairing: Pairing) -> tuple[int, ...]:
    return pairing.shared(claimed.a, claimed.b) if claimed.b else claimed.a.seeds


def _verdict(claimed: _Claimed, pairing: Pairing, tests: int) -> Verdict:
    """Return the verdict of one claim alone; what would resolve it is told for all the tests."""
    a, b, bench = claimed.a, claimed.b, pairing.bench
    seeds = _seeds(claimed, pairing)
    if not seeds:
        return Verdict("not_resolvable", 0.0, None, None, None, "the two share no seed")
    return judge_difference(
        claimed.test,
        a.scores(bench, seeds=seeds),
        b.scores(bench, seeds=seeds) if b else a.scores(bench, "before"),
        np.random.default_rng(_SEED),
        noise=pairing.noise([(a, b)], seeds) if b else None,
        tests=tests,
    )
