"""Run folders as training leaves them, with invented samples: the report's tests read only these.

A run's samples are drawn from a known solve rate a problem, so that tests know which method is
better, which are equal, and which did not learn.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tomli_w

from verirank.config import TrialConfig

BASE_RATE = 0.35
TOTAL = 790_000
_MEASURES = (
    "relative_norm", "spectral_shift", "angle_left_mean", "angle_right_mean", "in_span_ratio",
    "sparsity", "below_half_ulp", "effective_rank", "stable_rank",
)  # fmt: skip
_OVERLAPS = ("mask_jaccard", "cosine", "overlap_left", "overlap_right")
FAMILIES = {
    **dict.fromkeys(("dora", "adalora", "miss"), "structural"),
    **dict.fromkeys(("lora", "rslora"), "low-rank"),
    **dict.fromkeys(("lora-plus", "lora-fa"), "optimiser"),
    **dict.fromkeys(("pissa", "milora"), "svd-initialised"),
    **dict.fromkeys(("vera", "ia3", "ln-tuning"), "vector"),
    "full": "full",
}


@dataclass(frozen=True)
class Recipe:
    """What a method of the invented world reaches, and what it costs."""

    rate: float
    trainable: int
    seconds: float
    memory: int = 700_000_000
    learning_rate: float = 3e-4


METHODS = {
    "full": Recipe(0.73, 790_000, 31, 780_000_000, 3e-5),
    "lora": Recipe(0.725, 110_592, 34),
    "dora": Recipe(0.735, 120_064, 52, 910_000_000),
    "adalora": Recipe(0.66, 111_500, 47),
    "miss": Recipe(0.70, 61_440, 33),
    "pissa": Recipe(0.655, 110_592, 36),
    "milora": Recipe(0.69, 110_592, 36),
    "lora-plus": Recipe(0.728, 110_592, 34),
    "rslora": Recipe(0.71, 110_592, 34),
    "lora-fa": Recipe(0.68, 62_464, 32),
    "vera": Recipe(0.60, 9_400, 40, learning_rate=3e-3),
    "ia3": Recipe(0.64, 3_072, 29, learning_rate=3e-3),
    "ln-tuning": Recipe(0.36, 1_152, 28, learning_rate=1e-3),
}


def write_run(
    folder: Path,
    method: str,
    recipe: Recipe,
    *,
    seed: int = 0,
    problems: int = 48,
    samples: int = 8,
    steps: int = 60,
    benches: dict[str, float] | None = None,
    completion: str = "<think>12+7=19;19*3=57</think>\\boxed{57}",
    manifest: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    groups: int | None = None,
) -> Path:
    """Write one run folder.

    With `groups`, problems come in so many, and each has its own luck with the method.

    `benches` shifts the solve rate per bench; `manifest` and `settings` replace entries.
    """
    benches = {"test": 0.0} if benches is None else benches
    generator = np.random.default_rng([seed, *method.encode()])
    resolved = _settings(method, recipe, seed, benches) | (settings or {})
    resolved_method = resolved["method"] | {"name": method}
    _write(folder / "trial.toml", tomli_w.dumps({**resolved, "method": resolved_method}))
    _write(folder / "manifest.json", json.dumps(_manifest(method, recipe, seed) | (manifest or {})))
    _write(folder / "metrics.jsonl", "".join(_metrics(generator, recipe, steps)))
    for bench, shift in benches.items():
        # The base's samples and the problems' difficulty belong to the bench: every run has them.
        shared = np.random.default_rng([*bench.encode()])
        difficulty_P = shared.normal(0, 0.15, problems)
        before_PK = shared.random((problems, samples)) < (BASE_RATE + shift + difficulty_P)[:, None]
        luck_P = generator.normal(0, 0.2, groups)[np.arange(problems) % groups] if groups else 0.0
        rate_P = np.clip(recipe.rate + shift + difficulty_P + luck_P, 0.02, 0.98)
        after_PK = generator.random((problems, samples)) < rate_P[:, None]
        stages = {"before": before_PK, "after": after_PK}
        rows = [
            _sample(stage, bench, p, k, bool(right), completion)
            | ({"group": f"g{p % groups}"} if groups else {})
            for stage, correct_PK in stages.items()
            for (p, k), right in np.ndenumerate(correct_PK)
        ]
        (folder / "eval").mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), folder / "eval" / f"{bench}.parquet")
    return folder


def write_solved(folder: Path, method: str, *, right: bool) -> Path:
    """Write a run whose every sample after training is right, or wrong."""
    run = write_run(folder, method, METHODS[method], problems=30)
    file = run / "eval" / "test.parquet"
    rows = pq.read_table(file).to_pylist()
    after = [row | {"correct": right} for row in rows if row["stage"] == "after"]
    before = [row for row in rows if row["stage"] == "before"]
    pq.write_table(pa.Table.from_pylist(before + after), file)
    return run


def write_study(folder: Path, *, seeds: int = 1, **options: Any) -> Path:
    """Write a run of every method and seed, with a test and an out-of-distribution bench."""
    for method, recipe in METHODS.items():
        for seed in range(seeds):
            write_run(
                folder / f"{method}-{seed}",
                method,
                recipe,
                seed=seed,
                **{"problems": 128, "benches": {"test": 0.0, "ood": -0.2}} | options,
            )
    return folder


def write_geometry(folder: Path) -> None:
    """Write what `verirank analyze` would of every run at a folder, with invented measures."""
    runs = sorted(path.parent for path in folder.rglob("manifest.json"))
    identities = [{"folder": str(run)} for run in runs]
    generator = np.random.default_rng(0)
    for place, run in enumerate(runs):
        trajectory = [
            {"step": step, "summary": {"overall": {"measures": _measured(generator, _MEASURES)}}}
            for step in (20, 40, 60)
        ]
        fractions = [0.01, 0.5, 1.0]
        curve = {"update": fractions, "isotropic": [0.01, 0.4, 0.9], "base": [0.2, 0.9, 1.0]}
        whole = trajectory[-1]["summary"]["overall"]
        whole["curves"] = {"energy_left": curve, "energy_right": curve}
        content = {
            "trajectory": trajectory,
            "summary": {"overall": whole},
            "fractions": fractions,
            "comparisons": [
                {
                    "runs": [identities[place], other],
                    "summary": {"overall": {"measures": _measured(generator, _OVERLAPS)}},
                }
                for other in identities[place + 1 :]
            ],
        }
        _write(run / "geometry.json", json.dumps(content))


def _measured(generator: np.random.Generator, names: tuple[str, ...]) -> dict[str, Any]:
    pairs = generator.random((len(names), 2)).tolist()
    return {name: {"value": a, "null": b} for name, (a, b) in zip(names, pairs, strict=True)}


def _settings(method: str, recipe: Recipe, seed: int, benches: dict[str, float]) -> dict[str, Any]:
    plain = TrialConfig(seed=seed).model_dump(mode="json", exclude_none=True)
    plain["method"] = {"name": method, "learning_rate": recipe.learning_rate}
    plain["evaluation"]["benches"] = list(benches)
    return plain


def _manifest(method: str, recipe: Recipe, seed: int) -> dict[str, Any]:
    return {
        "method": method,
        "algorithm": "grpo",
        "task": "arithmetic",
        "model": "micro",
        "family": FAMILIES.get(method, "other"),
        "seed": seed,
        "status": "done",
        "trainable_parameters": recipe.trainable,
        "total_parameters": TOTAL,
        "learning_rate": recipe.learning_rate,
        "seconds": recipe.seconds + seed,
        "peak_memory_bytes": recipe.memory,
        "conformance": {"passed": True, "checks": [{"name": "dispatch", "passed": True}] * 10},
        "base_sha256": "0f" * 32,
        "packages": {"torch": "2.13.0", "transformers": "5.19.0", "peft": "0.21.2"},
        "created": "2026-01-01T00:00:00Z",
    }


def _metrics(generator: np.random.Generator, recipe: Recipe, steps: int) -> list[str]:
    learned_T = 1 - np.exp(-np.arange(steps) / 15)
    reward_T = BASE_RATE + (recipe.rate - BASE_RATE) * learned_T + generator.normal(0, 0.04, steps)
    phases = ("sample", "verify", "train", "publish")
    seconds = {f"seconds_{phase}": recipe.seconds / steps / len(phases) for phase in phases}
    numerics = {
        "groups_sampled": 16,
        "groups_used": 12,
        "truncated_fraction": 0.03125,
        "unverified": 0,
        "verifier_failures": 0,
        "clip_fraction": 0.001,
        "kl_train_sampler": 2e-6,
        "served_changed_fraction": 0.53,
    }
    lines = [
        {"step": step + 1, "reward_mean": float(reward), "lr": 3e-4, "grad_norm": 0.2}
        | numerics
        | seconds
        for step, reward in enumerate(reward_T)
    ]
    return [json.dumps(line) + "\n" for line in lines]


def _sample(
    stage: str, bench: str, problem: int, sample: int, correct: bool, completion: str
) -> dict[str, Any]:
    return {
        "stage": stage,
        "problem": f"{bench}-{problem:03d}",
        "prompt": "(12+7)*3=",
        "gold": "57",
        "sample": sample,
        "correct": correct,
        "answer": "57" if correct else None,
        "completion": completion,
        "length": 24,
        "truncated": False,
        "reason": "equal" if correct else "no answer",
        "seed": 1000 * problem + sample,
    }


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
