"""One trial from proof to scores: prove the method, score the base, train, score the policy."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

from pyarrow import Table

from verirank.config import TrialConfig
from verirank.defects import defect_of
from verirank.evaluation import sample_bench, score, without_overlap
from verirank.methods import StandIn
from verirank.models import BaseModel
from verirank.processes import is_first, on_first
from verirank.record import (
    LOOK_SECONDS,
    BusyError,
    Run,
    hold,
    read_samples,
    write_json,
    write_samples,
)
from verirank.sampling import Sampler, open_sampler
from verirank.study._ending import Rung, is_finished, may_pass, record_failure
from verirank.study._proof import prove
from verirank.tasks import Task, bench_settings, load_task
from verirank.tracking import Tracking, tracked
from verirank.training import Step, train
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
    on_step: Callable[[Step], None] = lambda step: None,
) -> None:
    """Do what is still to be done of a run; a finished run is left as it is.

    Args:
        run: a new run, or one that was paused, stopped or killed.
        base: the model that the run's settings name.
        base_samples: a folder for the base's samples of every bench, which many trials share: the
            first to come takes them for all; None keeps them in the run.
        rung: where a search's trial pauses; None trains to the end and evaluates on every bench.
        patience: seconds to wait for another process to let go of the run.
        stand_in: the fresh process of the proof, if it was made already; it is ended here.
        on_step: is told of every training step.

    Raises:
        InputError: the settings do not suit the model, or another process is at the run.
        MethodUnprovenError: the method failed its conformance checks on this model.
        KeyboardInterrupt: the run was stopped; it can be resumed.
    """

    def work() -> None:
        on_first(lambda: _prove(run, base, stand_in))
        with tracked(run) as tracking:
            _train_and_score(run, base, base_samples, rung, on_step, tracking)

    with ExitStack() as stack:
        if stand_in is not None:
            stack.callback(stand_in.close)
        on_first(lambda: stack.enter_context(run.locked(patience)))
        if not on_first(lambda: is_finished(run, rung)):
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
            record_failure(run, f"{type(error).__name__}: {error}", passing=may_pass(error))
        raise


def _train_and_score(
    run: Run,
    base: BaseModel,
    base_samples: Path | None,
    rung: Rung | None,
    on_step: Callable[[Step], None],
    tracking: Tracking,
) -> None:
    config = run.config
    opened = open_sampler(config, base, _SignOfLife(run))
    with closing(Verifier(config.verifier)) as verifier, opened as sampler:
        before = base_samples or run.folder / "eval" / "base"
        if rung is None and base_samples is None:
            _sample_base(run, config, sampler, verifier, before)
        elif rung is None:
            _share_base_samples(run, sampler, verifier, before)
        until = rung.steps if rung else None
        defect = defect_of(run)
        heard = defect.training_sampler(run, base, sampler)
        told = _telling(tracking, on_step)
        policy = train(run, base, heard, verifier, told, until=until)
        started = time.perf_counter()
        sampler.publish(defect.evaluated_weights(run, policy))
        asked = defect.evaluation_sampler(sampler)
        task = load_task(config.task)
        if rung is not None:
            after = sample_bench(asked, verifier, task, rung.bench, config, "after")
            on_first(lambda: _record_selection(run, after, rung))
        else:
            for bench in config.evaluation.benches:
                if on_first(run.bench_file(bench).is_file):
                    continue  # before the trial was interrupted
                after = sample_bench(asked, verifier, task, bench, config, "after")
                on_first(partial(_record_samples, run, bench, after, before))
    if not is_first():
        return
    if rung is None:
        _record_scores(run, task)
        tracking.scores("eval", run.scores)
    else:
        tracking.scores("selection", {rung.bench: run.selection[str(rung.steps)]})
    spent = run.manifest.get("seconds_evaluate", 0.0) + time.perf_counter() - started
    run.update_manifest(status="paused" if rung else "done", seconds_evaluate=spent)


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


def _telling(tracking: Tracking, on_step: Callable[[Step], None]) -> Callable[[Step], None]:
    """Return what tells a step to the trackers, then to whoever else asked for it."""

    def told(step: Step) -> None:
        tracking.step(step.metrics)
        on_step(step)

    return told


def _prove(run: Run, base: BaseModel, stand_in: StandIn | None) -> None:
    config = run.config
    proof = prove(config.method, config.model, base, stand_in, _SignOfLife(run))
    if stand_in is not None:
        stand_in.close()
    run.update_manifest(status="running", conformance=proof, error=None, passing=None)


def _share_base_samples(run: Run, sampler: Sampler, verifier: Verifier, folder: Path) -> None:
    """Take the base's samples for all trials of a store, whatever their seeds, or wait for them."""
    config = run.config.model_copy(update={"seed": 0})
    folder.mkdir(parents=True, exist_ok=True)
    while not all((folder / f"{b}.parquet").is_file() for b in config.evaluation.benches):
        try:
            with hold(folder / ".lock", "another trial samples the base"):
                _sample_base(run, config, sampler, verifier, folder)
        except BusyError:
            os.utime(run.folder)  # it waits, and does not hang
            time.sleep(_POLL_SECONDS)


def _sample_base(
    run: Run, config: TrialConfig, sampler: Sampler, verifier: Verifier, folder: Path
) -> None:
    """Write the base's samples of every bench into a folder, unless they are there.

    The sampler has to serve the base's own weights, as it does when it is opened.
    """
    task = load_task(config.task)
    for bench in config.evaluation.benches:
        path = folder / f"{bench}.parquet"
        if not on_first(path.is_file):
            before = sample_bench(sampler, verifier, task, bench, config, "before")
            if is_first():
                write_samples(path, [before])
                os.utime(run.folder)


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
        scores[bench] = _beside(score(after), score(before))
        scores[bench]["temperature"] = bench_settings(task, bench, config).temperature
        clean_after = without_overlap(after, overlapping)
        clean_before = without_overlap(before, overlapping)
        if clean_after and clean_before:
            scores[bench]["without_overlap"] = _beside(clean_after, clean_before)
    write_json(run.folder / "eval.json", scores)


def _beside(after: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Return the scores after training, with the base's of the same problems."""
    shown = ("avg_at_k", "pass_at_k", "low", "high")
    return after | {f"base_{name}": before[name] for name in shown}


def _record_selection(run: Run, after: Table, rung: Rung) -> None:
    """Write selection/step-N.parquet and selection.json: a search's scores, never a test's."""
    write_samples(run.folder / "selection" / f"step-{rung.steps}.parquet", [after])
    scores = run.selection | {str(rung.steps): {"bench": rung.bench, **score(after)}}
    write_json(run.folder / "selection.json", scores)
