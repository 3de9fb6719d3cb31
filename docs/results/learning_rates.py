"""Find each method's learning rate on the micro model, on problems that no score is taken from.

    python docs/results/learning_rates.py OUT

Three rates a method, a factor of three apart, around `centre`; one seed, the quickstart's preset,
scored on the `selection` bench. Writes OUT/learning_rates.json and prints a table.
"""

import json
import sys
from pathlib import Path

from verirank.config import override, plugin_names, resolve
from verirank.study import quickstart_trials, run_trials

CENTRES = {
    "full": 1e-4, "lora": 1e-3, "dora": 1e-3, "adalora": 1e-2, "miss": 1e-3, "pissa": 3e-4,
    "milora": 1e-3, "lora-plus": 1e-4, "rslora": 3e-4, "lora-fa": 1e-3, "vera": 1e-2,
    "ia3": 1e-2, "ln-tuning": 3e-3,
}  # fmt: skip
FACTORS = (1 / 3, 1, 3)


def main(out: Path) -> None:
    """Run the sweep; a stopped one goes on where it was."""
    trials = {}
    for method in plugin_names("method"):
        for factor in FACTORS:
            (config,) = quickstart_trials("quickstart", [method], steps=None, seeds=[0]).values()
            settings = config.model_dump(mode="json", exclude_none=True)
            rate = float(f"{CENTRES[method] * factor:.1e}")
            changes = [f"method.learning_rate={rate}", 'evaluation.benches=["selection"]']
            trials[f"{method}-{rate:g}"] = resolve(override(settings, changes))
    run_trials(trials, out)
    table = {}
    for name, config in trials.items():
        scores = json.loads((out / "trials" / name / "eval.json").read_text())["selection"]
        row = table.setdefault(config.method.name, {})
        row[config.method.learning_rate] = round(scores["avg_at_k"], 3)
    (out / "learning_rates.json").write_text(json.dumps(table, indent=2) + "\n")
    for method, row in table.items():
        print(method, *(f"{rate:g}:{score}" for rate, score in row.items()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
