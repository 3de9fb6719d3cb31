"""Bits learnt against trainable parameters and steps, from the runs of studies on `recall`.

    verirank study run micro-recall --out recall
    verirank study run micro-recall-ranks --out recall-ranks
    python benchmarks/recall.py recall recall-ranks --out docs/results/recall

Of each method and rank the rate with the most bits on `selection` after the last step counts; what
is reported are its bits on `test`, sampled anew, as a mean over seeds. Runs that are still to come
are left out and counted. Writes arms.csv, curves.csv, recall.svg and recall.md.
"""

from __future__ import annotations

import argparse
import math
import tomllib
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import altair as alt

from verirank.record import Run, processor, read_trial_list, write_csv, write_file

_BITS = "selection_bits_learnt"
_HEAD = """\
# Bits learnt through rewards

A table of {keys} keys with one of {values} values each, {bits:.0f} bits that no model can know; the
micro model learns it from rewards alone ([what is measured](../../instruments.md)). Most was learnt
by {most}.

```
{commands}
```

{runs} of {all_runs} runs are done and counted here, {hours:.2f} hours of one core of {processor}
that other work shared. The rate is the one with the most bits on `selection`, of those that are
done; bits are those on `test`, {seeds}. [arms.csv](arms.csv) has every rate,
[curves.csv](curves.csv) every step that was scored.

![Bits against trainable parameters, and against steps](recall.svg)

| method | trainable parameters | rate | rates | bits learnt | of all, % | a parameter | Avg@k, % |
|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Arm:
    """A method at one rank and rate; means over its seeds."""

    method: str
    rank: int | None
    rate: float
    parameters: int
    seeds: int
    selection_bits: float
    bits: float
    avg_at_k: float

    @property
    def label(self) -> str:
        """Return the method with its rank, where it has one."""
        return self.method if self.rank is None else f"{self.method} r{self.rank}"


def finished(folders: list[Path]) -> tuple[list[Run], int]:
    """Return the runs of studies that are done, each once, and how many there are in all."""
    runs: dict[str, Run] = {}
    for folder in folders:
        listed = read_trial_list(folder)
        assert listed is not None, f"{folder} holds no study"
        runs |= {entry.id: Run(listed.folder(entry)) for entry in listed.entries}
    return [run for run in runs.values() if run.status == "done"], len(runs)


def arms_of(runs: list[Run]) -> list[Arm]:
    """Return every method at every rank and rate."""
    grouped: dict[tuple[str, int | None, float], list[Run]] = defaultdict(list)
    for run in runs:
        settings = run.settings["method"]
        rank = settings.get("rank") if run.method != "vera" else None
        grouped[run.method, rank, settings["learning_rate"]].append(run)
    return [
        Arm(
            *key,
            parameters=own[0].manifest["trainable_parameters"],
            seeds=len(own),
            selection_bits=fmean(scored(run)[-1][_BITS] for run in own),
            bits=fmean(run.scores["test"]["bits_learnt"] for run in own),
            avg_at_k=fmean(run.scores["test"]["avg_at_k"] for run in own),
        )
        for key, own in sorted(grouped.items(), key=lambda item: str(item[0]))
    ]


def scored(run: Run) -> list[dict[str, Any]]:
    """Return the steps at which a run was scored."""
    return [line for line in run.metrics() if _BITS in line]


def best(arms: list[Arm]) -> list[Arm]:
    """Return each method and rank at its best rate, by trainable parameters."""
    found: dict[str, Arm] = {}
    for arm in sorted(arms, key=lambda arm: arm.selection_bits):
        found[arm.label] = arm
    return sorted(found.values(), key=lambda arm: arm.parameters)


def curves(runs: list[Run], arms: list[Arm]) -> list[dict[str, Any]]:
    """Return the bits by step of each arm, means over its seeds."""
    values: dict[tuple[str, int], list[float]] = defaultdict(list)
    labels = {(arm.method, arm.rank, arm.rate): arm.label for arm in arms}
    for run in runs:
        settings = run.settings["method"]
        rank = settings.get("rank") if run.method != "vera" else None
        if label := labels.get((run.method, rank, settings["learning_rate"])):
            for line in scored(run):
                values[label, line["step"]].append(line[_BITS])
    return [{"arm": a, "step": s, "bits": fmean(each)} for (a, s), each in values.items()]


def chart(
    arms: list[Arm], rows: list[dict[str, Any]], bits: float
) -> alt.ConcatChart | alt.HConcatChart:
    """Draw bits against trainable parameters, and against steps."""
    points = [asdict(arm) | {"arm": arm.label} for arm in arms]
    dots = alt.Chart(alt.Data(values=points)).encode(
        x=alt.X("parameters:Q", title="trainable parameters").scale(type="log"),
        y=alt.Y("bits:Q", title=f"bits learnt of {bits:.0f}").scale(domain=[0, bits]),
    )
    named = dots.mark_text(dy=-9, fontSize=10).encode(text="arm:N")
    left = (dots.mark_point(filled=True, size=70) + named).properties(width=420, height=320)
    lines = alt.Chart(alt.Data(values=rows), width=320, height=320).mark_line(point=True)
    right = lines.encode(
        x=alt.X("step:Q", title="training step"),
        y=alt.Y("bits:Q", title=None).scale(domain=[0, bits]),
        color=alt.Color("arm:N", title=None).scale(scheme="category20"),
    )
    return left | right


def main() -> None:
    """Read the studies and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("studies", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    runs, all_runs = finished(asked.studies)
    arms = arms_of(runs)
    top, task = best(arms), runs[0].config.task.model_dump()
    bits = task["keys"] * math.log2(task["values"])
    rows = curves(runs, top)
    asked.out.mkdir(parents=True, exist_ok=True)
    write_csv(asked.out / "arms.csv", [asdict(arm) for arm in arms])
    write_csv(asked.out / "curves.csv", rows)
    chart(top, rows, bits).save(str(asked.out / "recall.svg"))
    seconds = sum(r.manifest["seconds"] + r.manifest.get("seconds_evaluate", 0.0) for r in runs)
    names = [tomllib.loads((f / "study.toml").read_text("utf-8"))["name"] for f in asked.studies]
    commands = [f"verirank study run {name} --out {name}" for name in names]
    commands.append(f"python benchmarks/recall.py {' '.join(names)} --out docs/results/recall")
    seeds, tried = max(arm.seeds for arm in arms), Counter(arm.label for arm in arms)
    most = max(top, key=lambda arm: arm.bits)
    page = _HEAD.format(
        keys=task["keys"],
        values=task["values"],
        bits=bits,
        most=f"{most.label}: {most.bits:.0f} bits",
        commands="\n".join(commands),
        runs=len(runs),
        all_runs=all_runs,
        hours=seconds / 3600,
        processor=processor(),
        seeds=f"means of {seeds} seeds"
        if seeds > 1
        else "of one seed, so a dozen bits mean little",
    )
    table = [
        f"| {arm.label} | {arm.parameters:,} | {arm.rate:g} | {tried[arm.label]} | "
        f"{arm.bits:.0f} | {100 * arm.bits / bits:.0f} | {arm.bits / arm.parameters:.2g} | "
        f"{100 * arm.avg_at_k:.0f} |\n"
        for arm in top
    ]
    write_file(asked.out / "recall.md", page + "".join(table))


if __name__ == "__main__":
    main()
