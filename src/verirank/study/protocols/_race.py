"""The race protocol: seeds are trained only where the question is still open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from verirank.config import TrialConfig
from verirank.record import TrialEntry, read_trial_list, write_trial_list
from verirank.statistics import SearchNoise, decide
from verirank.study._arm import Arm
from verirank.study._crew import Crew
from verirank.study._definition import Study
from verirank.study.executors._jobs import Outcome
from verirank.study.protocols._field import NO_DECISION, RaceField
from verirank.study.protocols._record import write_race
from verirank.trial import Store, trial_entry


def race_arms(
    crew: Crew,
    out: Path,
    study: Study,
    rates: Mapping[Arm, float],
    searched: Sequence[TrialEntry],
    search: SearchNoise,
) -> list[Outcome]:
    """Train the arms' seeds from look to look, until none is in the race or the budget is used up.

    The runs' records are the only memory: a race that is resumed, or that goes on from a finished
    study of its first seeds, takes the same decisions again from the same scores. Writes
    OUT/race.json at every look. A trial that the machine failed holds the next look up until the
    study is resumed.

    Args:
        crew: trains trials.
        out: the study's folder.
        study: with its race's design and budget.
        rates: each arm's learning rate.
        searched: the search's trials, which the study's list names before the race's.
        search: what the searches of the arms, by their names, add to the noise.

    Returns:
        One outcome a trial that the race asked for.

    Raises:
        InputError: the samples of a trial that is done are damaged.
    """
    if not rates:
        return []
    field = RaceField(study, crew.store, rates)
    outcomes: dict[Path, Outcome] = {}
    while True:
        scores = field.scores()
        decision = decide(scores, study.race.design, search) if scores else NO_DECISION
        asked = field.asked(decision)
        out_of_budget = bool(decision.going_on) and not field.can_afford(asked)
        is_over = out_of_budget or not decision.going_on
        if is_over:
            asked = field.compared(decision)
        _list_trials(crew.store, out, searched, asked)
        write_race(out, field, decision, out_of_budget=out_of_budget)
        todo = {folder: trial for folder, trial in asked.items() if folder not in outcomes}
        outcomes |= {outcome.folder: outcome for outcome in crew.take(todo, None)}
        waits = any(one.error and not one.for_good for one in outcomes.values())
        all_failed = all(one.error for one in outcomes.values())
        if is_over or waits or all_failed:
            return list(outcomes.values())


def _list_trials(
    store: Store, out: Path, searched: Sequence[TrialEntry], trials: Mapping[Path, TrialConfig]
) -> None:
    entries = [trial_entry(t, "ranked", store.name_of(f)) for f, t in trials.items()]
    listed = read_trial_list(out)
    if listed is None or listed.entries != (*searched, *entries):
        write_trial_list(out, store.folder, [*searched, *entries])
