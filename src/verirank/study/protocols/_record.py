"""A race on disk: race.json, with the decision of every look and how each arm ended."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from verirank.record import RACE, Run, read_race, write_json
from verirank.statistics import RaceDecision
from verirank.study._arm import Arm
from verirank.study._definition import Study
from verirank.study._trial_state import read_state
from verirank.study.protocols._field import RaceField, hours_of
from verirank.trial import trial_id

RULE = (
    "Arms are compared after {looks} seeds, on {benches}. A look may be wrong with a chance of "
    "{each:g} %, all looks together with {error:g} %. An arm stops when it is surely behind "
    "another, when it equals the leader within {margin:g} points, or when more seeds would hardly "
    "tell it from the leader.{budget} A trial that failed by its own fault scores {failed}; an "
    "arm of which a trial measures nothing (wrong input, failed checks) is out."
)
_BUDGET = " The race ends when its next look would exceed {budget}."


def write_race(out: Path, field: RaceField, decision: RaceDecision, *, out_of_budget: bool) -> None:
    """Write OUT/race.json, unless it holds the same."""
    is_over = out_of_budget or not decision.going_on
    content = {
        "rule": _rule(field.study),
        "looks": list(field.study.race.looks),
        "margin": field.study.race.margin,
        "error": field.study.race.error,
        "budget": field.study.race.budget,
        "out_of_budget": out_of_budget,
        "is_over": is_over,
        "next_look": 0 if is_over else decision.seeds,
        "leader": decision.leader,
        "most_trials": len(field.rates) * field.study.race.looks[-1],
        "arms": [_arm(arm, field, decision, is_over) for arm in field.rates],
        "decisions": [asdict(look) for look in decision.looks],
    }
    # Written again as JSON has it: a finished race that is resumed is left as it is.
    if read_race(out) != _as_read(content):
        write_json(out / RACE, content)


def _as_read(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _as_read(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_as_read(value) for value in content]
    return content


def _rule(study: Study) -> str:
    race = study.race
    *first, last = map(str, race.looks)
    benches = dict.fromkeys(b for arm in study.arms() for b in arm.settings.evaluation.benches)
    return RULE.format(
        looks=f"{', '.join(first)} and {last}" if first else last,
        benches=" and ".join(benches),
        each=100 * race.error / len(race.looks),
        error=100 * race.error,
        margin=100 * race.margin,
        failed="as the base does" if study.failed_runs == "base" else "nothing",
        budget=_BUDGET.format(budget=race.budget) if race.budget else "",
    )


def _arm(arm: Arm, field: RaceField, decision: RaceDecision, is_over: bool) -> dict[str, Any]:
    """Return how one arm stands or ended, and what it cost."""
    seeds = field.taken(arm, decision)
    folders = list(field.trials(arm, seeds))
    means = [look.means[arm.name] for look in decision.looks if arm.name in look.means]
    return {
        "id": arm.name,
        "method": arm.method,
        "ranked": trial_id(arm.trial(field.study.seeds[0], field.rates[arm])),
        "end": "unmeasured" if field.unmeasured(arm) else _end(arm.name, decision, is_over),
        "seeds": seeds,
        "mean": means[-1] if means else None,
        "failed": sum(read_state(Run(folder)).failed_for_good for folder in folders),
        "hours": sum(hours_of(folder) or 0.0 for folder in folders),
    }


def _end(arm: str, decision: RaceDecision, is_over: bool) -> str:
    """Return `behind`, `equal`, `leader`, `budget`, `open`, or `racing` before the race is over."""
    if arm in decision.behind:
        return "behind"
    if arm in decision.going_on:
        return ("leader" if arm == decision.leader else "budget") if is_over else "racing"
    if arm == decision.leader:
        return "leader"
    return "equal" if arm in decision.equal else "open"
