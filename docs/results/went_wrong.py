"""Train micro wrongly in the ways of docs/what-survives.md, and write what a user sees of each.

    python docs/results/went_wrong.py docs/results/went-wrong.md

Every command runs for real, in a folder of its own; so does the report of the runs that ended.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from html import unescape
from pathlib import Path
from typing import Any

SHORT = ("training.steps=16", "evaluation.problems=16", "evaluation.samples=1")
CASES = {
    "A rate that is far too high": ("method.learning_rate=0.3",),
    "The same, over full fine-tuning": ("method.name=full", "method.learning_rate=0.02"),
    "A rate that bf16 rounds away": ("model.dtype=bfloat16", "method.learning_rate=1e-9"),
    "A token limit that no answer fits": ("sampling.max_new_tokens=2",),
    "The same, told to go on": (
        "sampling.max_new_tokens=2",
        "machine.train_without_signal=true",
    ),
    "Numbers that overflow": ("method.name=full", "method.learning_rate=1e30"),
}
"""What is set wrongly in `verirank train quickstart`."""
HEAD = """# Runs that go wrong

```sh
python docs/results/went_wrong.py docs/results/went-wrong.md
```

The built-in model, trained wrongly on purpose: what the terminal and `manifest.json` say, and what
the metrics were where it began. The rules and their thresholds are in
[What survives](../what-survives.md#training-that-goes-wrong). Each command also had {short}.
"""
COLUMNS = ("step", "reward_mean", "groups_used", "truncated_fraction", "entropy", "grad_norm")


def main(out: Path) -> None:
    """Run every case, and write the page."""
    parts = [HEAD.format(short=", ".join(f"`--set {setting}`" for setting in SHORT))]
    with tempfile.TemporaryDirectory() as folder:
        ended = []
        for number, (name, wrong) in enumerate(CASES.items()):
            run = Path(folder, f"run-{number}")
            said = train(run, wrong)
            parts.append(section(name, wrong, said, run))
            if read(run)["status"] == "done" and "model.dtype=bfloat16" not in wrong:
                ended.append(str(run))  # a report holds runs of one base
        report = Path(folder, "report")
        verirank("report", *ended, "--out", str(report))
        page = unescape((report / "report.html").read_text("utf-8"))
        warnings = re.findall(r"Warning of training[^<]*", page)
        parts.append(
            "## On the page of a report\n\n" + "\n".join(f"> {w}" for w in warnings) + "\n"
        )
    out.write_text("\n".join(parts), "utf-8")


def train(run: Path, wrong: tuple[str, ...]) -> str:
    """Train into a folder; return what the terminal said."""
    settings = [part for one in (*SHORT, *wrong) for part in ("--set", one)]
    return verirank("train", "quickstart", *settings, "--out", str(run))


def verirank(*arguments: str) -> str:
    """Return what a command prints, whatever its exit code."""
    command = [sys.executable, "-m", "verirank", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout


def read(run: Path) -> dict[str, Any]:
    """Return a run's manifest."""
    return json.loads((run / "manifest.json").read_text("utf-8"))


def section(name: str, wrong: tuple[str, ...], said: str, run: Path) -> str:
    """Return what is known of a run that went wrong."""
    manifest = read(run)
    command = " ".join(["verirank train quickstart", *(f"--set {one}" for one in wrong)])
    told = [line for line in said.splitlines() if line.startswith(("warning", "verirank:"))]
    kept = {key: manifest[key] for key in ("status", "error", "warnings") if manifest.get(key)}
    lines = [f"## {name}", "", "```sh", command, "```", "", "```text", *told, "```", ""]
    lines += ["`manifest.json`:", "", "```json", json.dumps(kept, indent=1), "```", ""]
    return "\n".join(lines + table(run, [warning["step"] for warning in kept.get("warnings", [])]))


def table(run: Path, began: list[int]) -> list[str]:
    """Return the metrics from the step before something began to the third after it."""
    if not began or not (file := run / "metrics.jsonl").exists():
        return []
    first = max(1, min(began) - 1)
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    for row in rows[first - 1 : first + 3]:
        cells = ("" if row.get(key) is None else f"{row[key]:.3g}" for key in COLUMNS)
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
