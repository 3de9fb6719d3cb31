"""What a study asks for, checked before anything is planned or written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from verirank.config import ArmConfig, is_problem_file, to_toml
from verirank.study._arm import Arm
from verirank.study._definition import Study
from verirank.tasks import ProblemSetTask, load_task
from verirank.trial import expect_benches, expect_possible


def expect_known_benches(arms: Sequence[Arm], study: Study) -> None:
    """Refuse what a run would refuse, as far as that can be known without the Hub.

    Raises:
        InputError: a task has no such bench, or problems of this machine are too few for it.
    """
    for settings in _distinct(arms):
        task = load_task(settings.task)
        is_local = is_problem_file(settings.task.name) or not isinstance(task, ProblemSetTask)
        for bench in _benches(settings, study):
            if bench not in task.benches:
                task.bench(bench, 1)  # says which it has
            elif bench in ("test", "selection") and is_local:
                expect_benches(task, [bench])


def expect_study_possible(arms: Sequence[Arm], study: Study) -> None:
    """Refuse a study with a trial that cannot be, before anything is written (`expect_possible`).

    Raises:
        InputError: it has one.
    """
    trials = []
    for arm in arms:
        trial = arm.trial(study.seeds[0])
        benches = tuple(_benches(trial, study))
        evaluation = trial.evaluation.model_copy(update={"benches": benches})
        trials.append(trial.model_copy(update={"evaluation": evaluation}))
    expect_possible(trials)


def _benches(settings: ArmConfig, study: Study) -> Iterable[str]:
    """Return the benches that an arm is ranked on, and that of its search."""
    searched = (study.search.bench,) if study.searches else ()
    return dict.fromkeys((*settings.evaluation.sampled, *searched))


def _distinct(arms: Sequence[Arm]) -> Iterable[ArmConfig]:
    """Return one of all settings that have the same task and benches."""
    settings = [arm.settings for arm in arms]
    return {(to_toml(s.task), s.evaluation.sampled): s for s in settings}.values()
