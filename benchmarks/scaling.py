"""What a training step costs as its work grows, for every method: seconds of a core and memory.

    python benchmarks/scaling.py --out docs/results/cost

From a base of 8 problems x 8 samples x 32 tokens at rank 8 on the micro model, one axis at a time
is doubled and doubled again; SmolLM2 is the larger model. Each method is a process of one thread,
whose own time is taken, not the clock's, so that other work on the machine hardly moves it; the
verifier's processes, the same for every method, are not counted. At the base and on SmolLM2 LoRA
takes its steps in turn with the method's, so that the ratio of the two holds where the machine's
speed drifts. Writes steps.csv, slopes.csv, cost.svg and, as Markdown, cost.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import altair as alt
from workload import WORKLOADS, FixedLength, endless_base, of_rank

from verirank.config import CONTENDERS, VerifierConfig, resolve
from verirank.record import processor, write_csv, write_file
from verirank.sampling import TransformersSampler
from verirank.training import Trainer
from verirank.verifier import Verifier

BASE = {"model": "micro", "problems": 8, "group": 8, "tokens": 32, "rank": 8}
AXES = {"problems": (8, 16, 32), "group": (8, 16, 32), "tokens": (32, 64, 128), "rank": (8, 16, 32)}
_HEAD = """\
# What a step costs

`python benchmarks/scaling.py --out docs/results/cost`, in seconds of one core of {processor}: what
benchmarks/scaling.py says it measures, all settings in [steps.csv](steps.csv), drawn in
[cost.svg](cost.svg).

By method, four times the problems cost {problems} times the seconds, four times the group
{group}, four times the tokens {tokens} and four times the rank {rank}:
some of a step's cost does not grow with its work, and attention grows faster than the tokens. Full
fine-tuning has a gradient, two moments and a published tensor for every weight: on SmolLM2 more
work than any adapter's. LoRA beside itself, rsLoRA, PiSSA and MiLoRA do the same work in a step:
how far their figures lie apart is how far all can be trusted, on micro {micro}, on SmolLM2
{smollm2}.

"""
_EQUALS = ("lora", "rslora", "pissa", "milora")
LARGER = {"model": "smollm2", "problems": 2, "group": 8, "tokens": 32, "rank": 32}


def settings_of(method: str) -> Iterator[dict[str, Any]]:
    """Yield the settings of a method, in the order of their size."""
    ranked = "rank" in of_rank(method, BASE["rank"])
    yield {"axis": "base", **BASE}
    for axis, values in AXES.items():
        if axis != "rank" or ranked:
            yield from ({"axis": axis, **BASE, axis: value} for value in values[1:])
    yield {"axis": "model", **LARGER}


def measure(method: str, rounds: int) -> list[dict[str, Any]]:
    """Return a row a setting: medians over rounds, the peak of resident memory, and LoRA's time."""
    import torch

    torch.set_num_threads(1)
    rows = []
    with Verifier(VerifierConfig()) as verifier:
        for setting in settings_of(method):
            trainer = _trainer(method, setting, verifier)
            Path("/proc/self/clear_refs").write_text("5")
            memory = int(trainer.train_step().metrics["peak_memory_bytes"] or 0)
            row = {"method": method, **setting, "peak_memory_bytes": memory}
            beside = setting["axis"] in ("base", "model")
            rows.append(row | _alternate(trainer, setting, verifier, rounds, beside=beside))
    return rows


def _alternate(
    trainer: Trainer, setting: dict[str, Any], verifier: Verifier, rounds: int, *, beside: bool
) -> dict[str, float | None]:
    """Return the median seconds of a step and, if LoRA takes turns, of LoRA's step."""
    lora = _trainer("lora", setting, verifier) if beside else None
    if lora:
        lora.train_step()
    own, other = [], []
    for _ in range(rounds):
        own.append(_seconds(trainer))
        other += [_seconds(lora)] if lora else []
    return {"seconds": median(own), "seconds_of_lora": median(other) if other else None}


def _seconds(trainer: Trainer) -> float:
    """Take a step; return the seconds of a core that this process spent on it."""
    start = time.process_time()
    trainer.train_step()
    return time.process_time() - start


def _trainer(method: str, setting: dict[str, Any], verifier: Verifier) -> Trainer:
    work = WORKLOADS[setting["model"]]
    base = endless_base(work)
    config = resolve(
        {
            "model": {"name": work.model, "dtype": work.dtype},
            "method": of_rank(method, setting["rank"]),
            "sampling": {"problems_per_step": setting["problems"], "group_size": setting["group"]},
            "training": {"steps": 100},
        }
    )
    task = FixedLength(work.task)
    trainer = Trainer(config, base, TransformersSampler(base), verifier, task=task)
    trainer.max_new_tokens = setting["tokens"]
    return trainer


def slopes(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return, per method, its cost beside LoRA's and what doubling each axis twice multiplies."""
    at = {(row["method"], row["axis"], row.get(row["axis"])): row for row in rows}
    found = []
    for method in dict.fromkeys(row["method"] for row in rows):
        base, larger = at[method, "base", None], at[method, "model", "smollm2"]
        memory = at["lora", "model", "smollm2"]["peak_memory_bytes"]
        row = {
            "method": method,
            "micro_to_lora": base["seconds"] / base["seconds_of_lora"],
            "smollm2_to_lora": larger["seconds"] / larger["seconds_of_lora"],
            "smollm2_memory_to_lora": larger["peak_memory_bytes"] / memory,
        }
        for axis, values in AXES.items():
            end = at.get((method, axis, values[-1]))
            row[f"four_times_{axis}"] = end["seconds"] / base["seconds"] if end else None
        found.append(row)
    return found


def chart(rows: list[dict[str, Any]]) -> alt.FacetChart:
    """Draw a panel an axis: seconds of a step against it, a line a method."""
    shown = []
    for row in rows:
        axes = [a for a in AXES if row["axis"] in ("base", a)] if row["model"] == "micro" else []
        shown += [
            {
                "method": row["method"],
                "axis": axis,
                "times": row[axis] / BASE[axis],
                "s": row["seconds"],
            }
            for axis in axes
        ]
    return (
        alt.Chart(alt.Data(values=shown), width=230, height=200)
        .mark_line(point=True)
        .encode(
            x=alt.X("times:Q", title="times the base").scale(type="log", base=2),
            y=alt.Y("s:Q", title="seconds of a core, a step").scale(type="log", base=2),
            color=alt.Color("method:N").scale(scheme="category20"),
        )
        .facet(alt.Facet("axis:N", title=None), columns=2)
    )


def head(found: list[dict[str, Any]], processor: str) -> str:
    """Return what stands above the table, with the ranges of its columns."""

    def ends(column: str, methods: Container[str]) -> tuple[float, float]:
        cells = [r[column] for r in found if r["method"] in methods and r[column] is not None]
        return min(cells), max(cells)

    def apart(columns: Iterable[str]) -> str:
        most = max(high / low for low, high in (ends(column, _EQUALS) for column in columns))
        return f"{100 * (most - 1):.0f} %"

    everyone = [row["method"] for row in found]
    growths = {axis: ends(f"four_times_{axis}", everyone) for axis in AXES}
    return _HEAD.format(
        processor=processor,
        micro=apart(["micro_to_lora", *(f"four_times_{axis}" for axis in AXES)]),
        smollm2=apart(["smollm2_to_lora"]),
        **{axis: f"{low:.2f} to {high:.2f}" for axis, (low, high) in growths.items()},
    )


def page(found: list[dict[str, Any]]) -> str:
    """Return the table as Markdown."""

    def ratio(value: float | None) -> str:
        return "" if value is None else f"{value:.2f}"

    names = list(found[0])[1:]
    titles = {
        "micro_to_lora": "micro, to LoRA",
        "smollm2_to_lora": "SmolLM2, to LoRA",
        "smollm2_memory_to_lora": "its memory, to LoRA",
    }
    heads = [titles.get(name, name.replace("four_times_", "4 x ")) for name in names]
    lines = [
        f"| method | {' | '.join(heads)} |",
        "|---" * (len(names) + 1) + "|",
        *(f"| {r['method']} | {' | '.join(ratio(r[n]) for n in names)} |" for r in found),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure every method in a process of its own, then write tables and figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--method", help="measure this one alone, and print it")
    asked = parser.parse_args()
    if asked.method:
        print(json.dumps(measure(asked.method, asked.rounds)))
        return
    rows: list[dict[str, Any]] = []
    for method in CONTENDERS:
        command = [sys.executable, "-W", "ignore", __file__, "--out", str(asked.out)]
        command += ["--rounds", str(asked.rounds), "--method", method]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True)
        rows += json.loads(done.stdout.splitlines()[-1])
        print(f"{method} measured", file=sys.stderr)
    write_csv(asked.out / "steps.csv", rows)
    found = slopes(rows)
    write_csv(asked.out / "slopes.csv", found)
    chart(rows).save(str(asked.out / "cost.svg"))
    write_file(asked.out / "cost.md", head(found, processor()) + page(found))


if __name__ == "__main__":
    main()
