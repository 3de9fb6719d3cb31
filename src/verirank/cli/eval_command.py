"""`verirank eval`."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from verirank.cli._finite_range import FiniteRange
from verirank.config import InputError


@click.command(help="Score TARGET, a run's folder or a model (micro, smollm2, a folder, a hub id).")
@click.argument("target")
@click.option("--task", help="Task whose benches to score; the run's own by default.")
@click.option(
    "--bench",
    "benches",
    multiple=True,
    help="Bench to score; the run's own by default, else test. Repeatable.",
)
@click.option("--problems", type=click.IntRange(2), help="Most problems per bench (default 128).")
@click.option(
    "--samples",
    type=click.IntRange(1),
    help="Samples per problem, the k of Avg@k; the bench's own by default.",
)
@click.option(
    "--temperature",
    type=FiniteRange(min=0, min_open=True),
    help="Sampling temperature; the bench's own by default.",
)
@click.option("--seed", type=click.IntRange(0), help="Seed of the sampling.")
@click.option(
    "--sampler",
    type=click.Choice(["transformers", "vllm"]),
    help="Sampler; transformers by default.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any other setting, as for train.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write every sample into this folder, as Parquet.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
def command(
    target: str, out: Path | None, as_json: bool, assignments: tuple[str, ...], **options: Any
) -> None:
    """Print the scores of every bench."""
    config, run = _settings(target, assignments, options)
    from verirank.evaluation import evaluate, score, without_overlap
    from verirank.record import write_samples
    from verirank.tasks import load_task
    from verirank.verifier import Verifier

    task, scores = load_task(config.task), dict[str, Any]()
    with closing(Verifier(config.verifier)) as verifier:
        for bench, samples in evaluate(config, verifier, run=run):
            scores[bench] = score(samples, task)
            # A plain model has trained on none of it, and its set need not be here.
            if run and (clean := without_overlap(samples, task.overlapping(bench))):
                scores[bench]["without_overlap"] = clean
            if out is not None:
                write_samples(out / f"{bench}.parquet", [samples])
    if as_json:
        return click.echo(json.dumps(scores, indent=2))
    # A named bench is scored without the training set, which then need not be here.
    own = run is None and {"test", "selection"} & set(config.evaluation.benches)
    for remark in task.remarks() if own else ():
        click.echo(f"note: {remark}")
    for bench, s in scores.items():
        click.echo(
            f"{bench}: Avg@{s['k']} {s['avg_at_k']:.3f} [{s['low']:.3f}, {s['high']:.3f}], "
            f"Pass@{s['k']} {s['pass_at_k']:.3f}, maj@{s['k']} {s['maj_at_k']:.3f} "
            f"({s['n']} problems)"
        )
        for measure in task.measures:
            click.echo(f"  {measure}: {s[measure]:.1f}")
        if s["unverified"]:
            click.echo(
                f"  {s['unverified']} samples are unverified, since the machine was too busy; they "
                "count as wrong: evaluate again with fewer other processes"
            )
        if clean := s.get("without_overlap"):
            click.echo(
                f"  without the {s['n'] - clean['n']} problems that the training set holds: Avg@"
                f"{clean['k']} {clean['avg_at_k']:.3f} [{clean['low']:.3f}, {clean['high']:.3f}]"
            )


def _settings(
    target: str, assignments: tuple[str, ...], options: dict[str, Any]
) -> tuple[Any, Any]:
    from verirank.config import override, resolve

    run = _run(target)
    settings = run.settings if run else {"model": {"name": target}}
    changes = [
        f"{key}={value}"
        for key, value in (
            ("task.name", options["task"]),
            ("evaluation.problems", options["problems"]),
            ("evaluation.samples", options["samples"]),
            ("evaluation.temperature", options["temperature"]),
            ("sampling.sampler", options["sampler"]),
            ("seed", options["seed"]),
        )
        if value is not None
    ]
    if options["benches"]:
        changes.append(f"evaluation.benches={json.dumps(options['benches'])}")
    return resolve(override(settings, [*changes, *assignments])), run


def _run(target: str) -> Any:
    """Return the run in a folder, or None where a model is to be scored.

    Raises:
        InputError: the folder is a study, or such a path as no model has is not there.
    """
    from verirank.record import Run, read_trial_list

    folder = Path(target)
    if (folder / "manifest.json").is_file() or read_trial_list(folder):
        return Run.open(folder)
    # A model of the Hub is named owner/name.
    is_path = folder.is_absolute() or len(folder.parts) > 2 or target.startswith((".", "~"))
    if is_path and not folder.expanduser().exists():
        raise InputError(f"there is no run or model folder {target}: it does not exist")
    return None
