"""A trial's settings as TOML, with what stands for those that are left open."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from verirank.config import TrialConfig, learning_rate_of, to_toml

_OPEN = "# Comments give the values that the run uses for settings that are not set.\n\n"


def resolved_toml(trial: TrialConfig) -> str:
    """Return TOML that resolves to the trial again.

    What a method, task or bench sets by itself is a comment: as a setting it would bind other
    methods of a study that starts from it, and name another trial.
    """
    text = to_toml(trial)
    for section, values in _left_open(trial).items():
        said = "".join(f"# {key} = {value}\n" for key, value in values.items())
        text = text.replace(f"\n[{section}]\n", f"\n[{section}]\n{said}", 1)
    return _OPEN + text


def _left_open(trial: TrialConfig) -> dict[str, dict[str, Any]]:
    """Return by section what the run takes for settings of None, where that is known before."""
    from verirank.planning import token_limit

    taken = {
        "method": {
            "learning_rate": learning_rate_of(
                trial.method, trial.model.name, trial.training.optimizer
            ),
            "alpha": getattr(trial.method, "resolved_alpha", None),
            "target_rank": getattr(trial.method, "resolved_target", None),
        },
        "sampling": {"max_new_tokens": token_limit(trial)},
        "evaluation": _of_benches(trial),
    }
    given = trial.model_dump(exclude_none=True)
    return {
        section: {k: v for k, v in values.items() if v is not None and k not in given[section]}
        for section, values in taken.items()
    }


def _of_benches(trial: TrialConfig) -> dict[str, str]:
    """Return how the benches are sampled; where they differ, each one's value behind its name."""
    from verirank.tasks import bench_settings, load_task

    task, values_of = load_task(trial.task), dict[str, dict[str, Any]]()
    for bench in trial.evaluation.benches:
        for key, value in asdict(bench_settings(task, bench, trial)).items():
            values_of.setdefault(key, {})[bench] = value
    return {
        key: str(next(iter(values.values())))
        if len(set(values.values())) == 1
        else ", ".join(f"{value} of {bench}" for bench, value in values.items())
        for key, values in values_of.items()
    }
