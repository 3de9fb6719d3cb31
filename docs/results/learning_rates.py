"""Find each method's learning rate on the micro model, on problems that no score is taken from.

    python docs/results/learning_rates.py OUT

Three rates a method, a factor of three apart, and one more as long as the best stands at an edge.
One seed, the quickstart's preset, scored on the `selection` bench. Writes OUT/learning_rates.json.
"""

import json
import sys
from pathlib import Path

from verirank.config import TrialConfig, override, plugin_names, resolve
from verirank.study import Store, make_study, run_trials

CENTRES = {
    "full": 1e-4, "lora": 1e-3, "dora": 1e-3, "adalora": 1e-2, "miss": 1e-3, "pissa": 3e-4,
    "milora": 1e-3, "lora-plus": 1e-4, "rslora": 3e-4, "lora-fa": 1e-3, "vera": 1e-2,
    "ia3": 1e-2, "ln-tuning": 3e-3,
}  # fmt: skip
Table = dict[str, dict[float, float]]


def trial(method: str, rate: float) -> TrialConfig:
    """Return the quickstart's trial of a method at another rate, scored for selection."""
    (arm,) = make_study({"name": "rates", "preset": "quickstart", "methods": [method]}).arms()
    settings = arm.settings.model_dump(mode="json", exclude_none=True)
    changes = ["training.steps=60", f"method.learning_rate={rate}"]
    changes += ['evaluation.benches=["selection"]']
    return resolve(override(settings, changes))


def measure(wanted: list[tuple[str, float]], out: Path, table: Table) -> None:
    """Run trials side by side and enter their Avg@8."""
    trials = [trial(method, rate) for method, rate in wanted]
    run_trials(trials, out / "trials")
    for (method, rate), config in zip(wanted, trials, strict=True):
        folder = Store(out / "trials").trial(config)
        scores = json.loads((folder / "eval.json").read_text())
        table.setdefault(method, {})[rate] = round(scores["selection"]["avg_at_k"], 3)


def beyond_the_edge(row: dict[float, float]) -> list[float]:
    """Return the next rate outwards where the best is the lowest or the highest."""
    best = max(row, key=lambda rate: row[rate])
    factor = {min(row): 1 / 3, max(row): 3}.get(best)
    return [] if factor is None else [float(f"{best * factor:.1e}")]


def further(table: Table) -> list[tuple[str, float]]:
    """Return the trials that are still to be run."""
    return [(method, rate) for method, row in table.items() for rate in beyond_the_edge(row)]


def main(out: Path) -> None:
    """Run the sweep; a stopped one goes on where it was."""
    table: Table = {}
    factors = (1 / 3, 1, 3)
    first = [
        (method, float(f"{CENTRES[method] * factor:.1e}"))
        for method in plugin_names("method")
        for factor in factors
    ]
    measure(first, out, table)
    while more := [
        (method, rate) for method, row in table.items() for rate in beyond_the_edge(row)
    ]:
        measure(more, out, table)
    rows = {method: dict(sorted(row.items())) for method, row in table.items()}
    (out / "learning_rates.json").write_text(json.dumps(rows, indent=2) + "\n")
    for method, row in rows.items():
        print(method, *(f"{rate:g}:{score}" for rate, score in row.items()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
