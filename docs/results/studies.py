"""Write the page of the studies on the micro model from their folders, and their files beside it.

    python docs/results/studies.py docs/results/studies.md STUDY...

Each STUDY is the --out of a `verirank study run`, reported. Its files go into a folder of its name
beside the page.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from changes import verdict_changes
from tables import points, table

from verirank.record import Run, find_runs, read_trial_list
from verirank.study import open_study

FILES = (
    *("leaderboard.json", "leaderboard.csv", "verdicts.json", "comparisons.json"),
    *("equal_time.json", "equal_parameters.json", "search.json"),
    *("race.json", "report.html"),
)
NOTES = {
    "micro-race": (
        "Run with PiSSA's alpha at twice its rank, which is its rank by default now, and with 5 % "
        "as the chance below which an arm idles, 4 % now. Its rates are the default ones."
    ),
}
"""What a study ran with that has another default now."""
HEAD = """# Studies on the micro model

Written by `python docs/results/studies.py docs/results/{page} {names}` from these
studies' folders. Where they share a store, a trial that two of them name is trained once:

```sh
{commands}
```

{where}

The model has 0.8 M parameters and adds numbers: what holds here need not hold elsewhere. What the
studies do show is how far the published claims are from being resolvable by three seeds and this
many problems, and what becomes of the published collapses once every method has a rate of its own.
The default rates, around which the fair search is spaced, were themselves found on this model and
its selection bench, at three to five rates a method ([learning_rates.py](learning_rates.py)): that
part of the budget is not equal. A search that finds a default again confirms it; it is no second
opinion. Other work ran on the same cores, so the seconds of these runs, and what is ranked
by them (`equal_time.json`), compare nothing.
"""


def read(study: Path, name: str) -> Any:
    """Return a file of a study; None where it has none."""
    path = study / name
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def ranking(study: Path) -> str:
    """Return the leaderboard on its first bench."""
    rows = read(study, "leaderboard.json")["rows"]
    first = [row for row in rows if row["bench"] == rows[0]["bench"]]
    others = [row["bench"] for row in rows if row["label"] == rows[0]["label"]][1:]
    about = f"On `{first[0]['bench']}`"
    if others:
        about += f"; {', '.join(f'`{bench}`' for bench in others)} in leaderboard.json"
    lines = [
        [
            str(row["rank"]),
            row["label"],
            f"{100 * row['avg_at_k']:.1f} ({100 * row['low']:.1f} to {100 * row['high']:.1f})",
            points(row["change"], row["change_low"], row["change_high"]),
            f"{row['learning_rate']:g}",
            f"{row['trainable_parameters']:,}",
        ]
        for row in first
    ]
    heading = (
        f"rank | arm | Avg@{first[0]['k']}, % (95 %) | from the base, points | learning rate"
        " | trainable"
    )
    return f"{about}:\n\n{table(heading, lines)}"


def search(study: Path) -> Iterator[str]:
    """Yield what a fair study's search spent and found."""
    found = read(study, "search.json")
    if found is None:
        return
    lines = [
        [
            arm["method"],
            f"{arm['prior']:g}",
            f"{arm['trials'][0]['learning_rate']:g} to {arm['trials'][-1]['learning_rate']:g}",
            "none" if arm["winner"] is None else f"{arm['winner']:g}",
            "yes" if arm["at_edge"] else "no",
            str(arm["steps"]),
        ]
        for arm in found["arms"]
    ]
    yield fill(found["rule"], 100, break_on_hyphens=False)
    yield table("method | default | searched | won | at the edge | steps spent", lines)


def claims(study: Path) -> Iterator[str]:
    """Yield what a study says to the published claims."""
    found = read(study, "verdicts.json")["claims"]
    lines = [
        [
            one["claim"],
            one["part"],
            points(one["effect"], one["low"], one["high"]),
            "" if one["p_holm"] is None else f"{one['p_holm']:.2g}",
            one["outcome"].replace("_", " "),
            one["reason"],
        ]
        for one in found
    ]
    if lines:
        yield f"What it says to the published claims, corrected by Holm over {len(lines)} tests:"
        yield table("claim | here | effect, points (95 %) | Holm p | verdict | because", lines)
        yield from verdict_changes(study.name, found)


def race(study: Path) -> Iterator[str]:
    """Yield what a race spent beside a fixed design, and how each arm ended."""
    found = read(study, "race.json")
    if found is None:
        return
    trained = sum(arm["seeds"] for arm in found["arms"])
    most = found["most_trials"]
    yield fill(found["rule"], 100, break_on_hyphens=False)
    yield (
        f"It spent {trained} ranked trials, {100 * trained / most:.0f} % of the {most} of a fixed "
        f"design with {found['looks'][-1]} seeds of every arm"
        f"{'; its budget ended it' if found['out_of_budget'] else ''}."
    )
    lines = [
        [arm["method"], arm["end"], str(arm["seeds"]), f"{100 * arm['mean']:.1f}"]
        for arm in sorted(found["arms"], key=lambda arm: -(arm["mean"] or 0.0))
    ]
    yield table("arm | how it ended | seeds | mean of these, %", lines)


def cost(study: Path) -> str:
    """Return the trials of a study and the time that they took."""
    listed = read_trial_list(study)
    assert listed is not None
    runs = [Run(listed.folder(entry)) for entry in listed.entries]
    spent = [run.totals()["seconds"] + run.manifest.get("seconds_evaluate", 0.0) for run in runs]
    searched = sum(entry.role == "search" for entry in listed.entries)
    parts = f"{searched} trials of its search, and " if searched else ""
    return (
        f"{parts}{len(find_runs([study]))} ranked trials: {sum(spent) / 60:.0f} minutes of a core "
        "together."
    )


def section(study: Path) -> str:
    """Return a study's part of the page."""
    files = [name for name in FILES if (study / name).is_file()]
    links = ", ".join(f"[{name}]({study.name}/{name})" for name in files)
    question = open_study(study).question
    parts = [f"## {study.name}", f"{question} {cost(study)}"]
    if note := NOTES.get(study.name):
        parts.append(fill(note, 100))
    parts.append(ranking(study))
    return "\n\n".join(
        [*parts, *race(study), *search(study), *claims(study), f"Its files: {links}."]
    )


def where(studies: Sequence[Path]) -> str:
    """Return where the studies ran, and by which revisions."""
    manifests = {study.name: [run.manifest for run in find_runs([study])] for study in studies}
    every = [manifest for some in manifests.values() for manifest in some]
    machines = sorted({m["machine"]["processor"] for m in every})
    torch = sorted({m["packages"]["torch"] for m in every})
    revisions = "; ".join(
        f"{name} at {', '.join(sorted({(m['git'] or 'unknown')[:7] for m in some}))}"
        for name, some in manifests.items()
    )
    on = f"Run on {', '.join(machines)}, torch {', '.join(torch)}, one thread a trial; revisions: "
    return fill(f"{on}{revisions}.", 100, break_on_hyphens=False)


def keep(study: Path, folder: Path) -> None:
    """Copy a study's files, and what its page draws and tells, beside the page of all."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in FILES:
        if (study / name).is_file():
            shutil.copyfile(study / name, folder / name)
    for name in ("figures", "data"):
        if (study / name).is_dir():
            shutil.copytree(study / name, folder / name)


def main(page: Path, studies: Sequence[Path]) -> None:
    """Write the page and its files."""
    for study in studies:
        keep(study, page.parent / study.name)
    commands = "\n".join(
        f"verirank study run studies/{study.name}.toml --out {study.name} --store store"
        for study in studies
    )
    names = " ".join(study.name for study in studies)
    head = HEAD.format(page=page.name, names=names, commands=commands, where=where(studies))
    text = "\n\n".join([head.rstrip(), *(section(study) for study in studies)])
    page.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), [Path(study) for study in sys.argv[2:]])
