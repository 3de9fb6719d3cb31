"""One trial from proof to scores: prove the method, score the base, train, score the policy."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

from pyarrow import Table

from verirank.config import DURING, in_words
from verirank.defects import defect_of
from verirank.evaluation import (
    measure_retention,
    sample_bench,
    sample_training_problems,
    score,
    without_overlap,
)
from verirank.methods import StandIn
from verirank.models import BaseModel
from verirank.processes import is_first, on_first
from verirank.record import (
    LOOK_SECONDS,
    BusyError,
    Run,
    expect_unedited,
    hold,
    read_samples,
    write_json,
    write_samples,
)
from verirank.sampling import Sampler, StoppableSampler, open_sampler
from verirank.tasks import Task, bench_settings, load_task
from verirank.tracking import Tracking, tracked
from verirank.training import Step, train
from verirank.trial._base_outlook import (
    OUTLOOK,
    BaseOutlook,
    expect_signal,
    read_base_outlook,
    read_form_outlook,
)
from verirank.trial._outcome import Rung, failure_kind, is_finished, record_failure
from verirank.trial._proof import prove
from verirank.trial._within_reach import within_reach
from verirank.verifier import Verifier

_POLL_SECONDS = 1.0
_ALIVE_SECONDS = 10.0


def run_trial(
    run: Run,
    base: BaseModel,
    *,
    base_samples: Path | None = None,
    rung: Rung | None = None,
    patience: float = LOOK_SECONDS,
    stand_in: StandIn | None = None,
    on_base: Callable[[BaseOutlook], None] = lambda outlook: None,
    on_step: Callable[[Step], None] = lambda step: None,
) -> None:
    """Do what is still to be done of a run; a finished run is left as it is.

    Args:
        run: a new run, or one that was paused, stopped or killed.
        base: the model that the run's settings name.
        base_samples: a folder for the base's samples, which many trials share: the first to come
            takes them for all; None keeps them in the run.
        rung: where a search's trial pauses; None trains to the end and evaluates on every bench.
        patience: seconds to wait for another process to let go of the run.
        stand_in: the fresh process of the proof, if it was made already; it is ended here.
        on_base: called with what the base's answers show, before training.
        on_step: called after every training step.

    Raises:
        InputError: the settings do not suit the model, or another process is at the run.
        MethodUnprovenError: the method failed its conformance checks on this model.
        NothingToLearnError: the base's rewards differ in no group of training problems.
        KeyboardInterrupt: the run was stopped; it can be resumed.
    """

    def work() -> None:
        on_first(lambda: _prove(run, base, stand_in))
        with tracked(run) as tracking:
            reached = within_reach(run.config, base)
            _train_and_score(run, reached, base_samples, rung, on_base, on_step, tracking)

    with ExitStack() as stack:
        if stand_in is not None:
            stack.callback(stand_in.close)
        on_first(lambda: stack.enter_context(run.locked(patience)))
        if not on_first(lambda: is_finished(run, rung)):
            on_first(lambda: expect_unedited(run))
            _attempt(run, work)


def _attempt(run: Run, work: Callable[[], None]) -> None:
    """Run, and leave a record of how it ended."""
    try:
        work()
    except KeyboardInterrupt:
        if is_first():
            run.update_manifest(status="stopped")
        raise
    except Exception as error:
        if is_first():
            record_failure(run, in_words(error), failure_kind(error))
        raise


def _train_and_score(
    run: Run,
    base: BaseModel,
    base_samples: Path | None,
    rung: Rung | None,
    on_base: Callable[[BaseOutlook], None],
    on_step: Callable[[Step], None],
    tracking: Tracking,
) -> None:
    config = run.config
    opened = open_sampler(config, base, _SignOfLife(run))
    with closing(Verifier(config.verifier)) as verifier, opened as sampler:
        task = load_task(config.task)
        before = base_samples or run.folder / "eval" / "base"
        shared = base_samples is not None
        sampled = _BaseSamples(run, sampler, verifier, task, before, shared=shared)
        if not run.checkpoints():
            sampled.take([OUTLOOK])
            on_first(lambda: _look_at_base(run, before, on_base))
        if rung is None:
            sampled.take(config.evaluation.benches)
        until = rung.steps if rung else None
        defect = defect_of(run)
        heard = defect.training_sampler(run, base, sampler)
        report = _reporting(tracking, on_step)
        during = partial(_score_during, run, heard, verifier, task)
        spoil = defect.trained_policy
        policy = train(
            run, base, heard, verifier, report, evaluate=during, until=until, on_policy=spoil
        )
        started = time.perf_counter()
        sampler.publish(defect.evaluated_weights(run, policy))
        asked = defect.evaluation_sampler(sampler)
        if rung is not None:
            after = sample_bench(asked, verifier, task, rung.bench, config, "after")
            on_first(lambda: _record_selection(run, after, rung))
        else:
            for bench in config.evaluation.benches:
                if on_first(run.bench_file(bench).is_file):
                    continue  # before the trial was interrupted
                after = sample_bench(asked, verifier, task, bench, config, "after")
                on_first(partial(_record_samples, run, bench, after, before))
            retained = measure_retention(policy, task, sampler, config)
            if retained is not None and is_first():
                write_json(run.folder / "retention.json", retained)
    if not is_first():
        return
    if rung is None:
        _record_scores(run, task)
        tracking.scores("eval", run.scores)
    else:
        tracking.scores("selection", {rung.bench: run.selection[str(rung.steps)]})
    # Scores during training stand in the steps' lines, which a resume may have taken again.
    during_before = run.manifest.get(f"seconds_{DURING}", 0.0)
    during_now = sum(line.get(f"seconds_{DURING}", 0.0) for line in run.metrics())
    spent = run.manifest.get("seconds_evaluate", 0.0) + time.perf_counter() - started
    spent += during_now - during_before
    unverified = run.totals()["unverified"] + sum(
        b.get("unverified", 0) for b in run.scores.values()
    )
    run.update_manifest(
        status="paused" if rung else "done",
        seconds_evaluate=spent,
        unverified=unverified,
        **{f"seconds_{DURING}": during_now or None},
    )


def _score_during(
    run: Run,
    sampler: Sampler,
    verifier: Verifier,
    task: Task,
    step: int,
    stopping: Callable[[], bool],
) -> dict[str, float]:
    """Return the scores that a sampler's weights have after a step, and what they took.

    The samples are written to during/step-N.parquet.

    Raises:
        SamplingStoppedError: the run is to stop.
    """
    started = time.perf_counter()
    asked = StoppableSampler(sampler, stopping)
    samples = sample_bench(asked, verifier, task, DURING, run.config, "during")
    if is_first():
        write_samples(run.during_file(step), [samples])
    scores = score(samples, task)
    named = {f"{DURING}_{name}": value for name, value in scores.items()}
    return {**named, f"seconds_{DURING}": time.perf_counter() - started}


class _SignOfLife:
    """Tells whoever watches a run's folder that it goes on, once in a while.

    A bench or a method's proof may take hours, and writes nothing until its end.
    """

    def __init__(self, run: Run) -> None:
        self._folder = run.folder
        self._next = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if now < self._next or not is_first():
            return
        self._next = now + _ALIVE_SECONDS
        with suppress(OSError):  # of a disk that is away for a moment
            os.utime(self._folder)


def _reporting(tracking: Tracking, on_step: Callable[[Step], None]) -> Callable[[Step], None]:
    """Return a function that reports a step to the trackers and then calls `on_step`."""

    def report(step: Step) -> None:
        tracking.step(step.metrics)
        on_step(step)

    return report


def _prove(run: Run, base: BaseModel, stand_in: StandIn | None) -> None:
    config = run.config
    proof = prove(config.method, config.model, base, stand_in, _SignOfLife(run))
    if stand_in is not None:
        stand_in.close()
    run.update_manifest(status="running", conformance=proof, error=None, failure_kind=None)


class _BaseSamples:
    """The base's samples in a folder, each file taken once.

    The sampler has to serve the base's own weights, as it does when it is opened. Trials that share
    the folder take the samples with seed 0, one trial for all of them.
    """

    def __init__(
        self,
        run: Run,
        sampler: Sampler,
        verifier: Verifier,
        task: Task,
        folder: Path,
        *,
        shared: bool,
    ) -> None:
        self._run, self._sampler, self._verifier, self._task = run, sampler, verifier, task
        self._folder, self._shared = folder, shared
        self._config = run.config.model_copy(update={"seed": 0}) if shared else run.config

    def take(self, names: Sequence[str]) -> None:
        """Sample what is missing of the training problems or benches, or wait until others have."""
        if not self._shared:
            return self._sample(names)
        self._folder.mkdir(parents=True, exist_ok=True)
        while not all(self._file(name).is_file() for name in names):
            try:
                with hold(self._folder / ".lock", "another trial samples the base"):
                    self._sample(names)
            except BusyError:
                os.utime(self._run.folder)  # it waits, and does not hang
                time.sleep(_POLL_SECONDS)

    def _sample(self, names: Sequence[str]) -> None:
        for name in names:
            if not on_first(self._file(name).is_file):
                samples = self._samples_of(name)
                if is_first():
                    write_samples(self._file(name), [samples])
                    os.utime(self._run.folder)

    def _samples_of(self, name: str) -> Table:
        asked, verifier, task, config = self._sampler, self._verifier, self._task, self._config
        if name == OUTLOOK:
            return sample_training_problems(asked, verifier, task, config)
        return sample_bench(asked, verifier, task, name, config, "before")

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.parquet"


def _look_at_base(run: Run, base_samples: Path, on_base: Callable[[BaseOutlook], None]) -> None:
    """Report and record the base's answers, and stop where they leave nothing to learn from."""
    outlook = read_base_outlook(base_samples)
    assert outlook is not None  # its samples were taken just now
    run.update_manifest(base_reward=outlook.reward)
    on_base(outlook)
    if run.control == "format-reward":
        expect_signal(read_form_outlook(base_samples), run.config)
    elif run.control is None:
        expect_signal(outlook, run.config)


def _record_samples(run: Run, bench: str, after: Table, base_samples: Path) -> None:
    """Write eval/BENCH.parquet: the samples of the base, and of the policy."""
    before = read_samples(base_samples / f"{bench}.parquet", "before")
    write_samples(run.bench_file(bench), [before, after])


def _record_scores(run: Run, task: Task) -> None:
    """Write eval.json: the base's scores beside the policy's."""
    config, scores = run.config, dict[str, Any]()
    for bench in config.evaluation.benches:
        before, after = (read_samples(run.bench_file(bench), at) for at in ("before", "after"))
        overlapping = task.overlapping(bench)
        scores[bench] = _beside(score(after, task), score(before, task), task)
        scores[bench]["temperature"] = bench_settings(task, bench, config).temperature
        clean_after = without_overlap(after, overlapping)
        clean_before = without_overlap(before, overlapping)
        if clean_after and clean_before:
            scores[bench]["without_overlap"] = _beside(clean_after, clean_before, task)
    write_json(run.folder / "eval.json", scores)


def _beside(after: dict[str, Any], before: dict[str, Any], task: Task) -> dict[str, Any]:
    """Return the scores after training, with the base's of the same problems."""
    shown = ("avg_at_k", "pass_at_k", "low", "high", *(m for m in task.measures if m in before))
    return after | {f"base_{name}": before[name] for name in shown}


def _record_selection(run: Run, after: Table, rung: Rung) -> None:
    """Write selection/step-N.parquet and selection.json: a search's scores, never a test's."""
    write_samples(run.selection_file(rung.steps), [after])
    scores = run.selection | {str(rung.steps): {"bench": rung.bench, **score(after)}}
    write_json(run.folder / "selection.json", scores)
