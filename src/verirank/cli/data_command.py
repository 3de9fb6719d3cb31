"""`verirank data`: training sets and benches, problems in both, and how answers verify."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

_DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(),
    help="A folder with train/ and bench/ files, read instead of the Hub.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_TRUSTED = ("aime24", "aime25", "amc23", "hmmt25", "math-500", "minerva")


@click.group(help="Training sets and benches: what there is, overlaps, answers.")
def command() -> None:
    """Group what can be asked of the data sets."""


@command.command("list")
@_JSON
def list_(as_json: bool) -> None:
    """List the named training sets and benches, with their sources."""
    from verirank.tasks import benches, training_sets

    rows = [
        {"name": name, "kind": kind, **entry.model_dump(mode="json", exclude={"columns"})}
        for kind, entries in (("train", training_sets()), ("bench", benches()))
        for name, entry in entries.items()
    ]
    if as_json:
        return click.echo(json.dumps(rows, indent=2))
    for row in rows:
        sampled = (
            f"  {row['problems']} problems, k = {row['samples']}, T = {row['temperature']}"
            if row["kind"] == "bench"
            else ""
        )
        click.echo(f"{row['kind']}  {row['name']:16} {row['hub']}@{row['revision'][:12]}{sampled}")


@command.command()
@click.option("--train", required=True, help="A named set, a file, or a Hub id.")
@click.option("--bench", required=True, help="A named bench (`verirank data list`) or a file.")
@_DATA_DIR
@_JSON
def overlap(train: str, bench: str, data_dir: str | None, as_json: bool) -> None:
    """Count the problems of a bench that stand in a training set too.

    A problem counts where a training problem has the same words (exact) or holds at least half of
    its word 8-grams (ngram).
    """
    from verirank.tasks import find_overlap, read_bench, read_training_set

    overlap = find_overlap(read_training_set(train, data_dir), read_bench(bench, data_dir))
    if as_json:
        return click.echo(json.dumps({"train": train, "bench": bench, **asdict(overlap)}))
    click.echo(
        f"of {overlap.n} problems of {bench}, {overlap.exact} have all words of a problem of "
        f"{train}, and {overlap.ngram} at least half of their word 8-grams"
    )
    for problem in overlap.ids:
        click.echo(f"  {_one_line(problem)}")


@command.command()
@click.option("--bench", "names", multiple=True, help="Repeatable; all but GSM8K by default.")
@_DATA_DIR
@_JSON
def confusion(names: tuple[str, ...], data_dir: str | None, as_json: bool) -> None:
    """Try the verifier on every answer of the benches.

    Each answer is compared with itself in a box, with other notations of it, and with the answers
    of the problems before and after it. Prints a Markdown table and every misjudged pair.
    """
    from verirank.config import VerifierConfig
    from verirank.tasks import find_confusion, read_bench
    from verirank.verifier import Verifier

    problems = {name: read_bench(name, data_dir) for name in names or _TRUSTED}
    with Verifier(VerifierConfig()) as verifier:
        rows = {name: asdict(find_confusion(bench, verifier)) for name, bench in problems.items()}
    if as_json:
        return click.echo(json.dumps(rows, indent=2))
    click.echo(_table(rows))
    for name, row in rows.items():
        click.echo("".join(_misjudged(name, row["misjudgements"])), nl=False)


@command.command()
@click.option("--train", "trains", multiple=True, help="Repeatable: a named set, a file, a Hub id.")
@click.option("--bench", "names", multiple=True, help="Repeatable: a named bench or a file.")
@_DATA_DIR
@_JSON
def kinds(
    trains: tuple[str, ...], names: tuple[str, ...], data_dir: str | None, as_json: bool
) -> None:
    """Count the golds of training sets and benches by kind, and list those that no kind fits.

    All named sets are read where none is given. Golds without a kind are compared by math-verify.
    """
    from verirank.tasks import benches, gold_kinds, read_bench, read_training_set, training_sets

    if not (trains or names):
        trains, names = tuple(training_sets()), tuple(benches())
    rows = {name: asdict(gold_kinds(read_training_set(name, data_dir))) for name in trains}
    rows |= {name: asdict(gold_kinds(read_bench(name, data_dir))) for name in names}
    if as_json:
        return click.echo(json.dumps(rows, indent=2))
    for name, row in rows.items():
        counts = ", ".join(f"{kind} {n:,}" for kind, n in row["kinds"].items())
        click.echo(f"{name}: {row['golds']:,} golds: {counts}")
        for problem, gold in row["unread"]:
            click.echo(f"  no kind fits {_one_line(problem)}: {_one_line(gold)}")


def _one_line(text: str) -> str:
    """Return a text on one line, without control characters."""
    return "".join(c if c.isprintable() else " " for c in text)


def _table(rows: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| bench | golds | right against themselves | other notations right "
        "| neighbours' answers accepted |",
        "|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        lines.append(
            f"| {name} | {row['golds']} | {row['self_right']} "
            f"| {row['rewritings_right']} of {row['rewritings']} "
            f"| {row['neighbours_accepted']} of {row['neighbours']} |"
        )
    return "\n".join(lines)


def _misjudged(name: str, wrong: tuple[dict[str, str], ...]) -> list[str]:
    if not wrong:
        return []
    lines = [f"\n{name}, {len(wrong)} misjudged:\n\n"]
    for pair in wrong:
        what = pair["rewriting"] or pair["kind"]
        lines.append(
            f"- {pair['problem']}, {what}: gold `{pair['gold']}`, answer "
            f"`{pair['prediction']}` ({pair['reason']})\n"
        )
    return lines
