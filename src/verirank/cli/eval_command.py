"""`verirank eval`."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from verirank.config import InputError


@click.command(help="Score TARGET, a run's folder or a model (micro, smollm2, a folder, a hub id).")
@click.argument("target")
@click.option("--task", help="The run's own task by default.")
@click.option(
    "--bench", "benches", multiple=True, help="Repeatable; the run's own by default, or test."
)
@click.option("--problems", type=click.IntRange(2), help="At most so many problems a bench (128).")
@click.option(
    "--samples",
    type=click.IntRange(1),
    help="Samples a problem, the k of Avg@k; the bench's own by default.",
)
@click.option(
    "--temperature", type=click.FloatRange(min=0, min_open=True), help="The bench's own by default."
)
@click.option("--seed", type=click.IntRange(0), help="Of the sampling.")
@click.option(
    "--sampler", type=click.Choice(["transformers", "vllm"]), help="transformers by default."
)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="As train takes it.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for every sample, as Parquet.")
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
            scores[bench] = score(samples)
            # A plain model has trained on none of it, and its set need not be here.
            if run and (clean := without_overlap(samples, task.overlapping(bench))):
                scores[bench]["without_overlap"] = clean
            if out is not None:
                write_samples(out / f"{bench}.parquet", [samples])
    if as_json:
        return click.echo(json.dumps(scores, indent=2))
    for bench, s in scores.items():
        click.echo(
            f"{bench}: Avg@{s['k']} {s['avg_at_k']:.3f} [{s['low']:.3f}, {s['high']:.3f}], "
            f"Pass@{s['k']} {s['pass_at_k']:.3f}, maj@{s['k']} {s['maj_at_k']:.3f} "
            f"({s['n']} problems)"
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
