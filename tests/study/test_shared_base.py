"""The base's samples of a study are jobs of their own, which all workers share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from study_scores import scores

from verirank.study import LocalExecutor, Study, run_study
from verirank.study.executors import Job, Outcome


@dataclass
class Watched(LocalExecutor):
    """The local executor, and what it was given, with the base's samples that were there then."""

    given: list[list[Job]] = field(default_factory=list)
    there: list[list[str]] = field(default_factory=list)

    def run(self, jobs: Sequence[Job], on_poll: Callable[[], None] = lambda: None) -> list[Outcome]:
        """Take note of the jobs, and do them."""
        self.given.append(list(jobs))
        files = jobs[0].store.glob("base/*/*.parquet")
        self.there.append(sorted(file.stem for file in files))
        return super().run(jobs, on_poll)


@pytest.fixture
def study(small_study: Callable[..., Study]) -> Study:
    return small_study("ia3", "ln-tuning", steps=1)


def test_workers_begin_with_the_bases_samples_and_no_trial_waits_for_them(
    tmp_path: Path, study: Study
) -> None:
    shared = Watched(2)
    outcomes = run_study(study, tmp_path / "shared", executor=shared)
    assert [outcome.error for outcome in outcomes] == [None, None]
    first, trials = shared.given
    assert sorted(job.base for job in first) == [("test",), ("training-problems",)]
    assert len({job.folder for job in first}) == 2
    assert shared.there == [[], ["test", "training-problems"]]
    assert [job.base for job in trials] == [(), ()]
    alone = Watched(1)
    run_study(study, tmp_path / "alone", executor=alone)
    assert [[job.base for job in jobs] for jobs in alone.given] == [[(), ()]]
    assert scores(tmp_path / "alone") == scores(tmp_path / "shared")


def test_samples_that_are_there_are_not_taken_again_and_one_trial_takes_its_own(
    tmp_path: Path, study: Study, small_study: Callable[..., Study]
) -> None:
    store, one = tmp_path / "store", Watched(2)
    run_study(small_study("vera", steps=1), tmp_path / "one", store=store, executor=one)
    assert [[job.base for job in jobs] for jobs in one.given] == [[()]]
    more = Watched(2)
    run_study(study, tmp_path / "more", store=store, executor=more)
    assert [[job.base for job in jobs] for jobs in more.given] == [[(), ()]]


def test_trials_take_what_a_job_of_the_base_could_not(tmp_path: Path, study: Study) -> None:
    class Losing(Watched):
        """Loses every job that samples a base, as a machine that fails does."""

        def run(
            self, jobs: Sequence[Job], on_poll: Callable[[], None] = lambda: None
        ) -> list[Outcome]:
            if jobs[0].base:
                return [Outcome(job.folder, "lost") for job in jobs]
            return super().run(jobs, on_poll)

    outcomes = run_study(study, tmp_path / "s", executor=Losing(2))
    assert [outcome.error for outcome in outcomes] == [None, None]
