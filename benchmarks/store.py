"""Time listing, planning and reporting a store of thousands of trials.

    python benchmarks/store.py OUT [--trials 5005] [--results docs/results/store.md]

Writes two studies of finished trials as training leaves them, with invented samples: few arms of
many seeds, and many arms of five seeds. Then runs the commands on each as a user does, the start
of Python counted in: a report first without its index, then with it, the better of two.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from verirank.config import TrialConfig, to_toml, usable_cores
from verirank.record import TrialEntry, processor, write_trial_list
from verirank.study import Store, Study, make_study
from verirank.trial import trial_id

STEPS, PROBLEMS, SAMPLES = 60, 128, 8
BENCHES = {"test": 0.0, "ood": -0.2}
BASE_RATE, COMPLETION = 0.35, "<think>12+7=19;19*3=57</think>\\boxed{57}"


@dataclass(frozen=True)
class Shape:
    """A store's study: so many values of one axis a method, and seeds enough for all trials."""

    name: str
    arms_a_method: int

    def study(self, trials: int) -> Study:
        """Return a study of about so many trials."""
        methods = ["full", "lora", "dora", "adalora", "miss", "pissa", "milora", "lora-plus"]
        methods += ["rslora", "lora-fa", "vera", "ia3", "ln-tuning"]
        seeds = max(1, round(trials / len(methods) / self.arms_a_method))
        axes = {"training.warmup_steps": list(range(self.arms_a_method))}
        return make_study(
            {
                "name": self.name,
                "preset": "quickstart",
                "methods": methods,
                "seeds": list(range(seeds)),
                "axes": axes if self.arms_a_method > 1 else {},
                "trial": {"training": {"steps": STEPS}},
            }
        )


SHAPES = (Shape("few-arms", 1), Shape("many-arms", 77))


def build(study: Study, out: Path) -> int:
    """Write a study whose trials are all done; return how many there are."""
    store = Store((out / "trials").absolute())
    columns = {bench: _columns(bench) for bench in BENCHES}
    entries: list[TrialEntry] = []
    for number, arm in enumerate(study.arms()):
        settings = to_toml(arm.trial(-1))
        for seed in study.seeds:
            trial = arm.trial(seed)
            _write_run(store.trial(trial), trial, settings, columns, number)
            entries.append(_entry(trial))
    (out / "study.toml").write_text(to_toml(study.spelled_out()), encoding="utf-8")
    write_trial_list(out, store.folder, entries)
    return len(entries)


def _entry(trial: TrialConfig) -> TrialEntry:
    rate = trial.method.learning_rate
    assert rate is not None
    name, steps = trial.method.name, trial.training.steps
    return TrialEntry(trial_id(trial), "ranked", name, trial.seed, rate, steps)


def _write_run(
    folder: Path, trial: TrialConfig, settings: str, columns: dict[str, pa.Table], arm: int
) -> None:
    generator = np.random.default_rng([arm, trial.seed])
    (folder / "eval").mkdir(parents=True)
    text = settings.replace("seed = -1", f"seed = {trial.seed}")
    (folder / "trial.toml").write_text(text, encoding="utf-8")
    (folder / "manifest.json").write_text(json.dumps(_manifest(trial), indent=2), encoding="utf-8")
    rate = 0.6 + 0.1 * np.sin(arm)
    (folder / "metrics.jsonl").write_text("".join(_metrics(generator, rate)), encoding="utf-8")
    for bench, shift in BENCHES.items():
        after_PK = generator.random((PROBLEMS, SAMPLES)) < _chance(bench, rate + shift)
        table = columns[bench]
        correct = np.concatenate([_before(bench).ravel(), after_PK.ravel()])
        table = table.append_column("correct", pa.array(correct))
        pq.write_table(table, folder / "eval" / f"{bench}.parquet")


def _chance(bench: str, mean: float) -> np.ndarray:
    """Return the problems' chances, which belong to the bench: P x 1."""
    shared = np.random.default_rng(list(bench.encode()))
    return np.clip(mean + shared.normal(0, 0.15, PROBLEMS), 0.02, 0.98)[:, None]


def _before(bench: str) -> np.ndarray:
    shared = np.random.default_rng([1, *bench.encode()])
    chance_P1 = _chance(bench, BASE_RATE + BENCHES[bench])
    return shared.random((PROBLEMS, SAMPLES)) < chance_P1


def _columns(bench: str) -> pa.Table:
    """Return the columns of a bench's samples that all runs share."""
    half = PROBLEMS * SAMPLES
    problems = np.tile(np.repeat([f"{bench}-{p:03d}" for p in range(PROBLEMS)], SAMPLES), 2)
    return pa.table(
        {
            "stage": ["before"] * half + ["after"] * half,
            "problem": problems,
            "prompt": np.char.add("How much is ", problems),
            "gold": ["57"] * (2 * half),
            "sample": np.tile(np.tile(np.arange(SAMPLES), PROBLEMS), 2),
            "answer": ["57"] * (2 * half),
            "completion": [COMPLETION] * (2 * half),
            "length": np.full(2 * half, 24),
            "truncated": np.zeros(2 * half, dtype=bool),
            "reason": ["equal"] * (2 * half),
        }
    )


def _metrics(generator: np.random.Generator, rate: float) -> Iterator[str]:
    learned_T = BASE_RATE + (rate - BASE_RATE) * (1 - np.exp(-np.arange(STEPS) / 15))
    phases = dict.fromkeys(("sample", "verify", "train", "publish"), 0.14)
    seconds = {f"seconds_{phase}": value for phase, value in phases.items()}
    for step, reward in enumerate(learned_T + generator.normal(0, 0.04, STEPS)):
        told = {"step": step + 1, "reward_mean": reward, "groups_used": 10, "clip_fraction": 0.0}
        told |= {"truncated_fraction": 0.0, "served_changed_fraction": 0.5, "grad_norm": 0.2}
        yield json.dumps(told | {"lr": 3e-4, "peak_memory_bytes": 700_000_000} | seconds) + "\n"


def _manifest(trial: TrialConfig) -> dict[str, Any]:
    checks = [{"name": f"check {n}", "passed": True, "detail": ""} for n in range(10)]
    return {
        "status": "done",
        "model": trial.model.name,
        "task": trial.task.name,
        "method": trial.method.name,
        "family": "low-rank",
        "algorithm": trial.algorithm.name,
        "seed": trial.seed,
        "learning_rate": trial.method.learning_rate,
        "base_sha256": "0f" * 32,
        "trainable_parameters": 77_824,
        "total_parameters": 790_000,
        "seconds": 33.6 + 0.1 * trial.seed,
        "seconds_evaluate": 2.0,
        "peak_memory_bytes": 700_000_000,
        "packages": {"torch": "2.13.0", "transformers": "5.19.0", "peft": "0.21.2"},
        "conformance": {"passed": True, "checks": checks},
    }


@dataclass(frozen=True, order=True)
class Cost:
    """Seconds of a command from its start to its end, and those of the processor."""

    wall: float
    processor: float

    def __str__(self) -> str:
        return f"{self.wall:.2f} / {self.processor:.2f}"


def timed(*arguments: str) -> Cost:
    """Return what a command costs."""
    before, began = os.times(), time.perf_counter()
    command = [sys.executable, "-m", "verirank", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, os.times()
    spent = after.children_user + after.children_system
    return Cost(wall, spent - before.children_user - before.children_system)


def measure(out: Path) -> dict[str, Cost]:
    """Return what every command costs on a study in a folder, by what it does."""
    folder = str(out)
    index = out / "runs_index.sqlite"
    index.unlink(missing_ok=True)
    return {
        "status": timed("study", "status", folder),
        "plan": timed("study", "plan", f"{folder}/study.toml", "--out", folder, "--json"),
        "report, first": timed("report", folder),
        "report, again": min(timed("report", folder) for _ in range(2)),
        "recommend": timed("recommend", folder),
    }


def main() -> None:
    """Build what is not there, time it, and tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--trials", type=int, default=5005)
    parser.add_argument("--results", type=Path)
    asked = parser.parse_args()
    found = {}
    for shape in SHAPES:
        study, out = shape.study(asked.trials), asked.out / shape.name
        count = len(study.arms()) * len(study.seeds)
        if not (out / "trials.json").is_file():
            build(study, out)
        what = f"{count:,} trials: {len(study.arms()):,} arms x {len(study.seeds)} seeds"
        found[what] = measure(out)
        print(what, *(f"{name}: {cost}" for name, cost in found[what].items()), flush=True)
    if asked.results:
        asked.results.write_text(_page(found), encoding="utf-8")


def _page(found: dict[str, dict[str, Cost]]) -> str:
    commands = list(next(iter(found.values())))
    lines = [
        "# A store of thousands of trials",
        "",
        f"Written by `python benchmarks/store.py OUT --results docs/results/store.md` on "
        f"{processor()}, Python {platform.python_version()}. Seconds of the whole command, the "
        "start of Python counted in, and after the stroke those of the processor; of a report "
        "again the better of two. Load of the machine over the last "
        f"five minutes: {os.getloadavg()[1]:.1f} on {usable_cores()} cores.",
        "",
        f"| store | {' | '.join(commands)} |",
        "|---" * (1 + len(commands)) + "|",
        *(f"| {what} | {' | '.join(map(str, t.values()))} |" for what, t in found.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
