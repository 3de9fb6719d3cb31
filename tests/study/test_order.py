"""In which order a study's trials begin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from verirank.study import Job, Outcome, Study, run_study

Make = Callable[..., Study]


class Listing:
    """An executor that notes the methods of its jobs in the order given, and does none of them."""

    def __init__(self) -> None:
        self.methods: list[str] = []

    def run(self, jobs: Sequence[Job], on_poll: Callable[[], None] = lambda: None) -> list[Outcome]:
        self.methods += [job.folder.name.rpartition("-seed")[0] for job in jobs]
        return [Outcome(job.folder, "not done") for job in jobs]


def order_of(study: Study, out: Path) -> list[str]:
    listing = Listing()
    run_study(study, out, executor=listing)
    return listing.methods


def test_a_trial_of_many_steps_goes_before_one_that_trains_more_weights(
    tmp_path: Path, small_study: Make
) -> None:
    study = small_study("full", "ln-tuning", steps=1)
    longer = study.model_copy(update={"steps": {"ln-tuning": 500}})
    assert order_of(longer, tmp_path / "s") == ["ln-tuning", "full"]


def test_of_equal_steps_the_trial_that_computes_most_goes_first(
    tmp_path: Path, small_study: Make
) -> None:
    assert order_of(small_study("ln-tuning", "full", steps=3), tmp_path / "s") == [
        "full",
        "ln-tuning",
    ]
