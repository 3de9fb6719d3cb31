"""`verirank verify`: check answers against gold answers."""

from __future__ import annotations

import json
from typing import Any

import click

from verirank.config import InputError, VerifierConfig
from verirank.record import read_json_lines
from verirank.tasks import conclusion
from verirank.verifier import Reward, Verifier, kind_of

Pair = tuple[str, str | None]


@click.command("verify")
@click.option("--gold", help="The right answer.")
@click.option("--answer", help="The answer to check.")
@click.option("--jsonl", "path", type=click.Path(), help="A file of {gold, prediction} lines.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON line per pair.")
@click.option("--explain", is_flag=True, help="Name the gold's kind and the rule that decided.")
def command(
    gold: str | None, answer: str | None, path: str | None, as_json: bool, explain: bool
) -> None:
    """Tell whether answers are mathematically equal to gold answers.

    What an answer says up to its last </think> is left out, and one that ends within <think> is no
    answer. The kinds and rules that --explain names are those of docs/verifier.md.
    """
    pairs = _pairs(gold, answer, path)
    with Verifier(VerifierConfig()) as verifier:
        rewards = verifier.verify_many([(right, _concluded(said)) for right, said in pairs])
    for pair, reward in zip(pairs, rewards, strict=True):
        why = {"kind": kind_of(pair[0]), "rule": reward.rule} if explain else {}
        click.echo(json.dumps(_row(pair, reward) | why) if as_json else _line(reward, why))
    if path is not None and not as_json:
        click.echo(f"{sum(reward.correct for reward in rewards)} of {len(rewards)} correct")


def _pairs(gold: str | None, answer: str | None, path: str | None) -> list[Pair]:
    if path is not None and gold is None and answer is None:
        return [_pair(row, f"{path}:{line}") for line, row in read_json_lines(path)]
    if path is None and gold is not None and answer is not None:
        return [(gold, answer)]
    raise InputError("verify takes either --gold and --answer, or --jsonl FILE")


def _pair(row: dict[str, Any], line: str) -> Pair:
    for key in ("gold", "prediction"):
        if key not in row:
            raise InputError(f"{line}: the row lacks {key!r}")
        if not isinstance(row[key], str) and not (key == "prediction" and row[key] is None):
            raise InputError(f"{line}: {key!r} must be text, not {row[key]!r}")
    return row["gold"], row["prediction"]


def _concluded(answer: str | None) -> str | None:
    """Return what stands outside of thoughts."""
    return answer and conclusion(answer, in_thought=False)


def _row(pair: Pair, reward: Reward) -> dict[str, Any]:
    gold, prediction = pair
    return {
        "gold": gold,
        "prediction": prediction,
        "correct": reward.correct,
        "reason": reward.reason,
        "seconds": round(reward.seconds, 6),
    }


def _line(reward: Reward, why: dict[str, str]) -> str:
    line = f"{'correct' if reward.correct else 'wrong'}: {reward.reason}"
    return f"{line} (gold: {why['kind']}; decided by: {why['rule']})" if why else line
