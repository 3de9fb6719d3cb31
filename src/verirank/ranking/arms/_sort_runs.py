"""Groups scored runs into arms, and tells why the others have no score."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from verirank.config import MEASURES_NOTHING, InputError, by_dotted_key
from verirank.ranking.arms._arm_labels import arm_labels
from verirank.ranking.arms._arm_runs import ArmRuns, FailedAs
from verirank.ranking.arms._failed_runs import base_samples, failed_content, without_copies
from verirank.record import DamagedError, Run, RunContent, RunIndex, read_trial_list

_NOT_ARM_SETTINGS = {"seed", "checkpoint", "verifier"}
_REQUIRED = ("trainable_parameters", "seconds", "peak_memory_bytes")


@dataclass(frozen=True)
class NotScored:
    """A run without scores, with the reason; `error` and `failure_kind` are of its manifest."""

    folder: str
    method: str
    seed: int | None
    status: str
    error: str | None
    failure_kind: str | None
    reason: str
    may_be_ranked: bool = True

    @classmethod
    def damaged(cls, folder: Path, error: InputError) -> NotScored:
        """Return the entry of a run whose files cannot be read, named after its folder."""
        return cls(str(folder), folder.name, None, "damaged", None, None, reason=str(error))

    @classmethod
    def of(cls, run: Run, reason: str) -> NotScored:
        """Return the entry of a run that can be read."""
        error, kind = (run.manifest.get(key) for key in ("error", "failure_kind"))
        whole = not run.defect and not run.control and not run.failed_checks
        return cls(str(run.folder), run.method, run.seed, run.status, error, kind, reason, whole)

    @property
    def counts(self) -> bool:
        """Whether it failed by its own fault, and stands in its arm as the base's score, or 0."""
        return self.status == "failed" and self.failure_kind in ("diverged", "error")

    @property
    def is_lost(self) -> bool:
        """Whether it is still to come, or the machine lost it: its arm has no rank before it."""
        measures_nothing = self.failure_kind in MEASURES_NOTHING
        return self.may_be_ranked and not self.counts and not measures_nothing

    @property
    def name(self) -> str:
        """The method, with the seed if known."""
        return self.method if self.seed is None else f"{self.method}, seed {self.seed}"


@dataclass(frozen=True)
class _Scored:
    """A run that can be scored, with its manifest and content."""

    run: Run
    manifest: dict[str, Any]
    content: RunContent
    is_failed: bool = False


def sort_runs(
    runs: Iterable[Run], index: RunIndex, failed_as: FailedAs = "base"
) -> tuple[list[ArmRuns], list[NotScored]]:
    """Group the runs that can be scored into arms, and list the others with the reason.

    A run that failed by its own fault is listed, and stands in its arm with the base's score.

    Args:
        runs: the runs of one or more studies.
        index: the cache of run contents; runs that it lacks are added.
        failed_as: what a failed run scores: as the base does, or zero.

    Raises:
        InputError: the runs have different models, base weights or tasks, or two runs of an arm
            have the same seed.
    """
    by_settings: dict[str, list[_Scored]] = defaultdict(list)
    lost: dict[str, set[int]] = defaultdict(set)
    failed, not_scored = list[tuple[str, Run]](), list[NotScored]()
    for run in runs:
        scored = _read(run, index)
        if isinstance(scored, _Scored):
            by_settings[_arm_settings(scored.content.settings)].append(scored)
            continue
        not_scored.append(NotScored.of(run, scored))
        arm = _arm_of_unscored(run)
        if arm is not None and not_scored[-1].counts:
            failed.append((arm, run))
        elif arm is not None and not_scored[-1].is_lost:
            lost[arm].add(run.seed)
    for settings, group in by_settings.items():
        by_settings[settings], copies = without_copies(group)
        not_scored += [NotScored.of(one.run, why) for one, why in copies]
    bases = base_samples(by_settings.values())
    for arm, run in failed:
        if content := failed_content(run, index, bases, failed_as):
            by_settings[arm].append(_Scored(run, run.manifest, content, True))
    groups = [sorted(group, key=lambda scored: scored.run.seed) for group in by_settings.values()]
    _refuse_mixtures(groups)
    settings = [by_dotted_key(json.loads(text)) for text in by_settings]
    labels = arm_labels([group[0].run.method for group in groups], settings)
    lost_G = [tuple(sorted(lost[text])) for text in by_settings]
    rows = zip(labels, groups, settings, lost_G, strict=True)
    arms = [_arm(*row, failed_as) for row in rows]
    return arms, not_scored


def with_runs_to_come(arms: Iterable[ArmRuns], folders: Iterable[Path]) -> list[ArmRuns]:
    """Return the arms with the seeds of ranked trials that have not begun, as `lost`.

    Args:
        arms: of the runs in the folders.
        folders: those of studies list their trials.
    """
    waiting = defaultdict[tuple[str, float], set[int]](set)
    for folder in folders:
        listed = read_trial_list(folder)
        for entry in listed.entries if listed else ():
            if listed and entry.role == "ranked" and not Run(listed.folder(entry)).manifest:
                waiting[entry.method, entry.learning_rate].add(entry.seed)
    return [_with_lost(arm, waiting) for arm in arms]


def _with_lost(arm: ArmRuns, waiting: Mapping[tuple[str, float], set[int]]) -> ArmRuns:
    rate = arm.manifests[0].get("learning_rate")
    more = waiting.get((arm.method, rate), set()) - set(arm.seeds) if rate else set()
    return replace(arm, lost=tuple(sorted({*arm.lost, *more}))) if more else arm


def _arm(
    label: str,
    scored: list[_Scored],
    settings: dict[str, Any],
    lost: tuple[int, ...],
    failed_as: FailedAs,
) -> ArmRuns:
    contents = [run.content for run in scored]
    benches = [b for b in contents[0].samples if all(b in content.samples for content in contents)]
    return ArmRuns(
        label,
        runs=tuple(run.run for run in scored),
        manifests=tuple(_with_costs(run) for run in scored),
        samples={bench: [content.samples[bench] for content in contents] for bench in benches},
        curves=tuple(content.curve for content in contents),
        evaluations=tuple(json.loads(content.scores) for content in contents),
        settings=settings,
        failed=tuple(run.run.seed for run in scored if run.is_failed),
        failed_as=failed_as,
        lost=lost,
    )


def _with_costs(scored: _Scored) -> dict[str, Any]:
    """Return a run's manifest, whose costs are those of its steps where it failed."""
    if not scored.is_failed:
        return scored.manifest
    peaks = [line.get("peak_memory_bytes", 0) for line in scored.run.metrics()]
    costs = (0, float(scored.content.curve.seconds_T.sum()), max(peaks, default=0))
    return dict(zip(_REQUIRED, costs, strict=True)) | scored.manifest


def _read(run: Run, index: RunIndex) -> _Scored | str:
    """Return a run with its content, or the reason why it cannot be scored."""
    manifest = run.manifest
    if manifest.get("status") != "done":
        error = manifest.get("error")
        return f"its status is {run.status}" + (f" ({error})" if error else "")
    if defect := manifest.get("defect"):
        return f"it has the deliberate defect {defect!r}"
    if control := manifest.get("control"):
        return f"it is a control: {control}"
    if failed := run.failed_checks:
        return f"conformance failed: {', '.join(failed)}"
    missing = [key for key in _REQUIRED if key not in manifest]
    if missing:
        return f"manifest.json lacks {', '.join(missing)}"
    try:
        content = index.read(run)
    except (OSError, ValueError) as error:
        return str(error)
    return _Scored(run, manifest, content) if content.samples else "it has no evaluation"


@lru_cache(maxsize=4096)
def _arm_settings(settings: str) -> str:
    """Return a run's settings as JSON, limited to those that define its arm."""
    kept = {k: v for k, v in json.loads(settings).items() if k not in _NOT_ARM_SETTINGS}
    return json.dumps(kept, sort_keys=True)


def _arm_of_unscored(run: Run) -> str | None:
    """Return the settings of a run's arm, or None where its trial.toml is damaged."""
    try:
        return _arm_settings(json.dumps(run.settings, default=str))
    except DamagedError:
        return None


def _refuse_mixtures(arms: list[list[_Scored]]) -> None:
    manifests = [scored.manifest for arm in arms for scored in arm]
    for key in ("model", "task"):
        names = sorted({str(manifest.get(key)) for manifest in manifests})
        if len(names) > 1:
            raise InputError(
                f"these runs have different {key}s ({', '.join(names)}); report each separately"
            )
    _refuse_other_weights([scored for arm in arms for scored in arm])
    for arm in arms:
        for one, two in pairwise(scored.run for scored in arm):
            if one.seed == two.seed:
                raise InputError(
                    f"{one.folder} and {two.folder} are the same trial; pass only one of them"
                )


def _refuse_other_weights(runs: list[_Scored]) -> None:
    weights = [(scored.run, scored.manifest.get("base_sha256")) for scored in runs]
    for (one, hash_one), (two, hash_two) in pairwise(pair for pair in weights if pair[1]):
        if hash_one != hash_two:
            raise InputError(
                f"{one.folder} and {two.folder} name the same model but started from different "
                "base weights (base_sha256); report each separately"
            )
