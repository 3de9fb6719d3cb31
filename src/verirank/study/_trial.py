"""One trial from proof to scores: prove the method, score the base, train, score the policy."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from verirank.config import InputError, TrialConfig
from verirank.evaluation import sample_bench, score
from verirank.methods import Policy
from verirank.models import BaseModel
from verirank.record import Run, read_samples, write_json, write_samples
from verirank.sampling import Sampler, TransformersSampler
from verirank.study._proof import prove
from verirank.tasks import load_task
from verirank.training import Step, train
from verirank.verifier import Verifier


def start_trial(config: TrialConfig, folder: Path) -> Run:
    """Create the run of a trial, once its task is known to be there.

    Raises:
        InputError: task or bench are unknown, a bench has fewer than the two problems that an
            interval needs, or the folder is taken.
    """
    task = load_task(config.task)
    for bench in config.evaluation.benches:
        if len(task.bench(bench, 2)) < 2:
            raise InputError(f"bench {bench!r} of {config.task.name} has fewer than 2 problems")
    return Run.create(folder, config)


def run_trial(
    run: Run,
    base: BaseModel,
    *,
    base_samples: Path | None = None,
    on_step: Callable[[Step], None] = lambda step: None,
) -> None:
    """Do what is still to be done of a run; a finished run is left as it is.

    Args:
        run: a new run, or one that was stopped or killed.
        base: the model that the run's settings name.
        base_samples: a folder with the base's samples of every bench, where a study has taken them
            once for all its trials; None samples the base here.
        on_step: is told of every training step.

    Raises:
        InputError: the settings do not suit the model, or another process is at the run.
        MethodUnprovenError: the method failed its conformance checks on this model.
        KeyboardInterrupt: the run was stopped; it can be resumed.
    """
    with run.locked():
        if run.manifest["status"] != "done":
            _attempt(run, base, base_samples, on_step)


def _attempt(
    run: Run, base: BaseModel, base_samples: Path | None, on_step: Callable[[Step], None]
) -> None:
    """Run, and leave a record of how it ended."""
    try:
        _run(run, base, base_samples, on_step)
    except KeyboardInterrupt:
        run.update_manifest(status="stopped")
        raise
    except Exception as error:
        run.update_manifest(status="failed", error=f"{type(error).__name__}: {error}")
        raise


def _run(
    run: Run, base: BaseModel, base_samples: Path | None, on_step: Callable[[Step], None]
) -> None:
    config = run.config
    (proof,) = prove([config.method], config.model, base)
    run.update_manifest(status="running", conformance=proof)
    with closing(Verifier(config.verifier)) as verifier:
        if base_samples is None:
            base_samples = run.folder / "eval" / "base"
            sample_base(config, base, verifier, base_samples)
        sampler = TransformersSampler(base)
        policy = train(run, base, sampler, verifier, on_step)
        _evaluate(run, sampler, policy, verifier, base_samples)
    run.update_manifest(status="done")


def sample_base(config: TrialConfig, base: BaseModel, verifier: Verifier, folder: Path) -> None:
    """Write the base's samples of every bench into a folder, unless they are there."""
    sampler, task = TransformersSampler(base), load_task(config.task)
    for bench in config.evaluation.benches:
        path = folder / f"{bench}.parquet"
        if not path.is_file():
            before = sample_bench(sampler, verifier, task, bench, config, "before")
            write_samples(path, [before])


def _evaluate(
    run: Run, sampler: Sampler, policy: Policy, verifier: Verifier, base_samples: Path
) -> None:
    """Write eval/BENCH.parquet and eval.json: the base's scores beside the policy's."""
    config, scores = run.config, {}
    task = load_task(config.task)
    sampler.publish(policy.effective_weights())
    for bench in config.evaluation.benches:
        before = read_samples(base_samples / f"{bench}.parquet", "before")
        after = sample_bench(sampler, verifier, task, bench, config, "after")
        write_samples(run.bench_file(bench), [before, after])
        base = {f"base_{name}": value for name, value in score(before).items()}
        scores[bench] = score(after) | {
            key: base[key] for key in ("base_avg_at_k", "base_pass_at_k", "base_low", "base_high")
        }
    write_json(run.folder / "eval.json", scores)
