"""Tests of the claims of arXiv:2512.23165 on a study's runs, and the outcome of each run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from verirank.ranking._bench_tests import BenchTests
from verirank.ranking._fates import RunFate, fates
from verirank.ranking._leaderboard import Leaderboard
from verirank.ranking.arms import ArmRuns
from verirank.record import as_row
from verirank.statistics import ALPHA, EQUALITY_MARGIN, Claim, Outcome

_MOST_ARMS = 100
"""Arms up to which every arm of a method is judged, not only that with its plain name."""
_MARGIN = f"{100 * EQUALITY_MARGIN:g} points"
_ONE_SEED = "one seed says nothing of other seeds: train at least two more"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A claim, the arms that it is tested on, and the verdict; effects are in fractions of 1.

    A claim of equality is about `margin`; others have none.
    `p` is that of no difference, and `p_holm` is corrected over all pairs of the bench, or over all
    arms against the base: the same two arms have the same answer wherever they are compared.
    """

    claim: str
    part: str
    margin: float | None
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
    """Judge the paper's findings and ablations by the tests that rank the arms.

    They are findings on averages over benches, and are read on the average where there is one. A
    claim is judged between arms that differ in nothing else than what it names; where a study has
    no such arms, it is left out.
    """
    bench = board.benches[0]
    arms = [arm for arm in board.arms if arm.has_bench(bench)]
    claims = [*_findings(arms), *_ablations(arms)]
    judgements = (_judged(claimed, board.tests[bench], bench) for claimed in claims)
    runs = fates(board.arms, board.not_scored, board.sampled[0])
    return Verdicts(tuple(judgements), tuple(runs))


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A claim on arm a less arm b, or less the base."""

    claim: str
    part: str
    test: Claim
    a: ArmRuns
    b: ArmRuns | None


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the tests say of an effect: its numbers, and which way it is resolved."""

    effect: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    resolved: int = 0
    equal: bool = False
    beyond: bool = False
    open: str = ""

    def outcome(self, claim: Claim) -> Outcome:
        """Return the verdict on a claim of a difference, or of equality within the margin."""
        if claim.relation == "within":
            true, false = self.equal, self.beyond
        else:
            sign = 1 if claim.relation == "above" else -1
            true, false = self.resolved == sign, self.resolved == -sign
        return "supported" if true else "contradicted" if false else "not_resolvable"


def _judged(claimed: _Claimed, tests: BenchTests, bench: str) -> Judgement:
    a, b = claimed.a, claimed.b
    answer = _of_pair(a, b, tests) if b else _of_base(a, tests)
    outcome = answer.outcome(claimed.test)
    return Judgement(
        claim=claimed.claim,
        part=claimed.part,
        margin=EQUALITY_MARGIN if claimed.test.relation == "within" else None,
        a=a.label,
        b=b.label if b else "base",
        bench=bench,
        outcome=outcome,
        effect=answer.effect,
        low=answer.low,
        high=answer.high,
        p=answer.p,
        p_holm=answer.p_holm,
        reason=answer.open if outcome == "not_resolvable" else _why(claimed.test),
    )


def _why(claim: Claim) -> str:
    if claim.relation == "within":
        return f"tests of equality within {_MARGIN}, corrected over all pairs or arms"
    return "the test that ranks read, corrected over all pairs or arms"


def _of_pair(a: ArmRuns, b: ArmRuns, tests: BenchTests) -> _Answer:
    pair, pairs = tests.pair(a.label, b.label), tests.pairs
    if pair is None or pairs is None:
        return _Answer(0.0, open=tests.why_no_pair(a.label, b.label))
    if pair.seeds == 1:
        return _Answer(pair.difference, open=_ONE_SEED)
    indices = pairs.index_of(a.label), pairs.index_of(b.label)
    return _Answer(
        *(pair.difference, pair.low, pair.high, pair.p, pair.p_holm),
        resolved=pair.resolved,
        equal=bool(tests.equal[indices]),
        beyond=pairs.beyond(a.label, b.label, EQUALITY_MARGIN),
        open=_open(pair.seeds, lambda seeds: pairs.detectable(a.label, b.label, seeds)),
    )


def _of_base(arm: ArmRuns, tests: BenchTests) -> _Answer:
    index, changes = tests.labels.index(arm.label), tests.changes
    effect, seeds = float(changes.mean_N[index]), int(changes.seeds_N[index])
    if seeds == 1:
        return _Answer(effect, open=_ONE_SEED)
    p_holm = tests.base_p_holm[index]
    return _Answer(
        effect,
        low=float(changes.low_N[index]),
        high=float(changes.high_N[index]),
        p=float(changes.p_N[index]),
        p_holm=p_holm,
        resolved=int(np.sign(effect)) if p_holm <= ALPHA else 0,
        equal=bool(changes.equal_N(EQUALITY_MARGIN)[index]),
        beyond=bool(changes.beyond_N(EQUALITY_MARGIN)[index]),
        open=_open(seeds, lambda seeds: changes.detectable(index, seeds)),
    )


def _open(seeds: int, detectable: Callable[[int | None], float]) -> str:
    """Return what this study, and one of twice as many seeds, would find four times in five."""
    now, later = (f"{100 * detectable(count):.1f} points" for count in (None, 2 * seeds))
    return f"a study like this finds {now} with 80 % power, one with {2 * seeds} seeds {later}"


def _findings(arms: Sequence[ArmRuns]) -> Iterator[_Claimed]:
    above, below, same = Claim("above", 0.0), Claim("below", 0.0), Claim("within", EQUALITY_MARGIN)
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


def _of_methods(arms: Sequence[ArmRuns], methods: Sequence[str]) -> Iterator[ArmRuns]:
    """Yield the arms of some methods; of very many arms only those with a method's plain name."""
    for method in methods:
        for arm in arms:
            if arm.method == method and (len(arms) <= _MOST_ARMS or arm.label == method):
                yield arm


def _pairs(
    arms: Sequence[ArmRuns], methods: Sequence[str], other: str
) -> Iterator[tuple[ArmRuns, ArmRuns]]:
    """Yield the arms of some methods, each with those of another that it may be held against."""
    others = list(_of_methods(arms, (other,)))
    for arm in _of_methods(arms, methods):
        comparable = [one for one in others if _comparable(arm, one)]
        # Each method may have a learning rate of its own; where several fit, it is the same.
        rate = arm.settings.get("method.learning_rate")
        same = [one for one in comparable if one.settings.get("method.learning_rate") == rate]
        yield from ((arm, one) for one in (comparable if len(comparable) == 1 else same))


def _comparable(a: ArmRuns, b: ArmRuns) -> bool:
    """Return whether two methods' arms differ in what belongs to the methods alone.

    Each under its plain name is the method as the study sets it; else what both have is the same.
    """
    plain = a.label == a.method and b.label == b.method
    own = {"method.name", "method.learning_rate"}
    both = {key for key in a.settings.keys() & b.settings.keys() if key.startswith("method.")}
    alike = all(a.settings[key] == b.settings[key] for key in both - own)
    return a.other_settings == b.other_settings and (plain or alike)


def _ablations(arms: Sequence[ArmRuns]) -> Iterator[_Claimed]:
    """Judge the four ablation claims on every pair of arms that differ in that setting alone."""
    above, equal = Claim("above", 0.0), Claim("within", EQUALITY_MARGIN)
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


def _pairs_along(
    arms: Sequence[ArmRuns], key: str, order: _Order
) -> Iterator[tuple[ArmRuns, ArmRuns, str]]:
    """Yield arms that differ in `key` alone, with the change in words."""
    families: dict[str, dict[Any, list[ArmRuns]]] = {}
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
