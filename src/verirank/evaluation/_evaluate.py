"""Scores a model on disk: a run's trained policy, or a plain model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from verirank.config import InputError, TrialConfig
from verirank.evaluation._samples import sample_bench
from verirank.methods import load_policy
from verirank.models import BaseModel, load_base
from verirank.record import Run
from verirank.sampling import open_sampler
from verirank.tasks import expect_prompts_fit, load_task, longest_sequence
from verirank.verifier import Verifier


def evaluate(
    config: TrialConfig,
    verifier: Verifier,
    *,
    run: Run | None = None,
    base: BaseModel | None = None,
) -> Iterator[tuple[str, pa.Table]]:
    """Sample the configured benches from a run's policy, or from the base model itself.

    Args:
        config: names model, task and benches.
        verifier: judges the answers.
        run: a finished run; None scores the base.
        base: the model that the settings name, if it is loaded already.

    Yields:
        The name of a bench and its samples, whose stage is `after` for a run, else `before`.

    Raises:
        InputError: the run is not finished, its base has changed, a bench is unknown, a prompt does
            not fit the model, or the sampler is not installed.
    """
    base = base or load_base(config.model, config.machine.device)
    task = load_task(config.task)
    if run is not None:
        adapter = run.folder / "adapter"
        if not adapter.is_dir():
            raise InputError(
                f"{run.folder} is not trained to its end; run: verirank train --resume {run.folder}"
            )
        run.expect_base(base.fingerprint())
    expect_prompts_fit(task, config, base, training=False)
    if base.window is not None and {"test", "selection"} & {*config.evaluation.benches}:
        base = replace(base, longest=longest_sequence(task, config, base, training=False))
    with open_sampler(config, base) as sampler:
        if run is not None:
            sampler.publish(load_policy(base, run.folder / "adapter").effective_weights())
        stage = "before" if run is None else "after"
        for bench in config.evaluation.benches:
            yield bench, sample_bench(sampler, verifier, task, bench, config, stage)
