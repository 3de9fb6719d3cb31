"""The benches and prompts of a study, checked before anything is planned or written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from verirank.config import ArmConfig, is_problem_file, to_toml
from verirank.models import load_reader
from verirank.study._arm import Arm
from verirank.study._definition import Study
from verirank.tasks import ProblemSetTask, expect_prompts_fit, load_task
from verirank.trial import expect_benches


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
                expect_benches(settings.task, [bench])


def expect_study_benches(arms: Sequence[Arm], study: Study) -> None:
    """Refuse benches that cannot be scored.

    Raises:
        InputError: a task or bench is unknown, or a bench has fewer than the two problems that an
            interval needs.
    """
    for settings in _distinct(arms):
        expect_benches(settings.task, _benches(settings, study))


def _benches(settings: ArmConfig, study: Study) -> Iterable[str]:
    """Return the benches that an arm is ranked on, and that of its search."""
    searched = (study.search.bench,) if study.searches else ()
    return dict.fromkeys((*settings.evaluation.sampled, *searched))


def expect_study_prompts(arms: Sequence[Arm], study: Study) -> None:
    """Refuse prompts that do not fit a model, once for all trials of a task, model and limit.

    Raises:
        InputError: a model is not there, or a prompt does not fit it (`expect_prompts_fit`).
    """
    searched = (study.search.bench,) if study.searches else ()
    distinct = {
        (to_toml(s.task), to_toml(s.model), s.evaluation, s.sampling.max_new_tokens): s
        for s in (arm.trial(study.seeds[0]) for arm in arms)
    }
    for settings in distinct.values():
        benches = tuple(dict.fromkeys((*settings.evaluation.benches, *searched)))
        asked = settings.model_copy(
            update={"evaluation": settings.evaluation.model_copy(update={"benches": benches})}
        )
        expect_prompts_fit(load_task(settings.task), asked, load_reader(settings.model))


def _distinct(arms: Sequence[Arm]) -> Iterable[ArmConfig]:
    """Return one of all settings that have the same task and benches."""
    settings = [arm.settings for arm in arms]
    return {(to_toml(s.task), s.evaluation.sampled): s for s in settings}.values()
