"""Write the page of micro-confounds from the study's folder, and its files beside the page.

    python docs/results/confounds.py STUDY docs/results/micro-confounds.md

STUDY is the --out of `verirank study run studies/micro-confounds.toml`. The files go into a folder
of the page's name.
"""

import shutil
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from textwrap import fill
from typing import Any

from changes import effect_changes
from tables import points, table

from verirank.ranking import Confounds, Effect, read_confounds
from verirank.record import Run, find_runs, read_trial_list
from verirank.study import open_study

FILES = (
    "confounds.json", "confounds.csv", "figures/confounds.svg", "figures/confounds.csv",
    "leaderboard.json",
)  # fmt: skip


def percent(share: float) -> str:
    """Return a share of 1 in percent."""
    return f"{100 * share:.1f}"


def p_value(p: float) -> str:
    """Return a p-value, in bold where it resolves."""
    text = f"{p:.2g}" if p >= 1e-4 else "<0.0001"
    return f"**{text}**" if p <= 0.05 else text


def measured(effect: Effect) -> str:
    """Return what the defect did to the weights, where it is one of weights."""
    if effect.weight_error is not None:
        return f"weights off by {percent(effect.weight_error)} %"
    if effect.base_drift is not None:
        return f"base drifted by {effect.base_drift:.1e}"
    return ""


def effect_row(effect: Effect) -> list[str]:
    """Return the line of one method under one defect."""
    return [
        effect.label,
        percent(effect.fair_avg_at_k),
        percent(effect.avg_at_k),
        points(effect.difference, effect.low, effect.high),
        p_value(effect.p_holm),
        f"{percent(effect.fair_pass_at_k)} to {percent(effect.pass_at_k)}",
        points(effect.pass_difference, effect.pass_low, effect.pass_high),
        p_value(effect.pass_p_holm),
        measured(effect),
    ]


def summary_row(defect: str, effects: list[Effect]) -> list[str]:
    """Return a defect's line: how many methods it moves, and which the furthest each way."""
    ordered = sorted(effects, key=lambda effect: effect.difference)
    ends = dict.fromkeys((ordered[0], ordered[-1]))
    return [
        defect,
        f"{sum(effect.resolved for effect in effects)} of {len(effects)}",
        f"{sum(effect.pass_resolved for effect in effects)} of {len(effects)}",
        ", ".join(f"{one.label} {100 * one.difference:+.1f}" for one in ends),
    ]


def by_defect(effects: Iterable[Effect]) -> dict[str, list[Effect]]:
    """Return the effects of each defect, in the study's order."""
    return {name: list(group) for name, group in groupby(effects, key=lambda one: one.defect)}


def vars_of(effect: Effect) -> dict[str, Any]:
    """Return what `effect_changes` compares of an effect."""
    keys = ("defect", "label", "difference", "low", "high", "p_holm")
    return {key: getattr(effect, key) for key in keys}


def sections(found: Confounds) -> Iterator[str]:
    """Yield a section for each defect."""
    k, n, bench = found.main[0].k, found.main[0].n, found.main[0].bench
    heading = (
        f"method | fair Avg@{k}, % | with it | difference, points (95 %) | Holm p | "
        f"Pass@{k}, % | difference, points (95 %) | Holm p | on the weights"
    )
    for defect, effects in by_defect(found.main).items():
        about = fill(ABOUT.get(defect, ""), 100, break_on_hyphens=False)
        yield f"## {defect}\n\n{about}\n\n{table(heading, map(effect_row, effects))}"
    others = [effect for effect in found.effects if effect.bench != bench]
    if others:
        yield (
            f"Above are the {n} problems of `{bench}`; `confounds.csv` has the other benches too: "
            + ", ".join(f"`{name}`" for name in dict.fromkeys(one.bench for one in others))
            + "."
        )


def cost(study: Path) -> str:
    """Return how many trials there are, and the seconds that those with a defect took."""
    listed = read_trial_list(study)
    assert listed is not None
    trained = [Run(listed.folder(e)) for e in listed.entries if e.role == "defective"]
    rescored = [Run(listed.folder(e)) for e in listed.entries if e.role == "rescored"]
    seconds = sum(run.manifest["seconds"] + run.manifest["seconds_evaluate"] for run in trained)
    again = sum(run.manifest["seconds_evaluate"] for run in rescored)
    return (
        f"{len(find_runs([study]))} fair trials; {len(trained)} trained with a defect, "
        f"{seconds / 60:.0f} minutes of one core; {len(rescored)} scored again, "
        f"{again:.0f} seconds of one core."
    )


def setting(study: Path) -> str:
    """Return where it ran, from the record of a run."""
    manifest = find_runs([study])[0].manifest
    packages, machine = manifest["packages"], manifest["machine"]
    return f"{machine['processor']}, torch {packages['torch']}, revision {manifest['git'][:7]}."


def main(study: Path, page: Path) -> None:
    """Write the page and its files."""
    found = read_confounds(study)
    if found is None or found.missing:
        sys.exit(f"{study} is not whole: run the study first ({found and found.missing})")
    for name in FILES:
        target = page.with_suffix("") / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(study / name, target)
    head = HEAD.format(
        folder=page.stem,
        question=open_study(study).question,
        where=setting(study),
        cost=cost(study),
        seeds=found.main[0].seeds,
    )
    summary = table(
        "defect | Avg@k moved | Pass@k moved | largest changes of Avg@k, points",
        (summary_row(*one) for one in by_defect(found.main).items()),
    )
    changed = effect_changes(page.stem, [vars_of(effect) for effect in found.main])
    parts = [head, summary, *changed, *sections(found), LIMITS]
    page.write_text("\n\n".join(parts) + "\n", "utf-8")


HEAD = """# Was it the set-up?

{question}

Written by `python docs/results/confounds.py OUT docs/results/micro-confounds.md` from the files
beside it: [confounds.json]({folder}/confounds.json), [confounds.csv]({folder}/confounds.csv), the
fair trials' [leaderboard.json]({folder}/leaderboard.json). {where}

```sh
verirank study run studies/micro-fair.toml --out micro-fair --store store
verirank study run studies/micro-paper.toml --out micro-paper --store store
verirank study run studies/micro-confounds.toml --out micro-confounds --store store
python docs/results/confounds.py micro-confounds docs/results/micro-confounds.md
```

The fair set-up: every method on all seven linears at rank 8 and its default learning rate, {seeds}
seeds; the trials that micro-fair and micro-paper have already are taken from the store. Beside each
stands the same trial with one defect, on the same problems and seeds.

{cost}

Differences are paired; the seeds' noise of each is moderated by that of all trials that a defect
was trained into, or of those of one defect where only the scores are made again. Holm's correction
is over all lines, for Avg@k and Pass@k apart; bold is resolved at 5 %. Not resolved is not the same
as no effect.

![How far each defect moves each method]({folder}/figures/confounds.svg)"""

ABOUT = {
    "half-rank": (
        "LoRA at half the rank of the others, as was released: 16 against 32 there, 4 against 8 "
        "here, alpha twice the rank in both."
    ),
    "query-value-only": (
        "Two of the seven linears are adapted. Released so were MiSS and VeRA; five others tell "
        "whether it matters to whom it happens. LoRA+, rsLoRA and LoRA-FA are left out: they "
        "adapt the same modules as LoRA in the same way."
    ),
    "one-rate": (
        "One learning rate for all, as the published protocol has it: LoRA's, 0.001 here. LoRA, "
        "LoRA-FA and MiLoRA have it anyway. The published 1e-5 itself was chosen for a model a "
        "thousand times larger and would show nothing here: it is a hundredth of LoRA's rate, "
        "and at a tenth of it LoRA is 5 points behind already (see the ablations in "
        "studies.md)."
    ),
    "in-place-merging": (
        "Weights reach the sampler by merging the adapter into a live bf16 base, which is "
        "un-merged afterwards; both round, and the difference stays. All adapters on linears. The "
        "base's drift is that after the last step, relative to its norm, mean over the seeds. "
        "Only the sampler's copy drifts here; in the released code the trainer's did too. The fair "
        "trials serve fp32, so these lines hold what serving bf16 does by itself, too."
    ),
    "adapter-dropout": (
        "The adapter drops 5 % of its inputs in the trainer's forward pass and none in the "
        "sampler's, so the importance ratio is noise around 1. Methods that add a product B A."
    ),
    "redrawn-residual": (
        "The trained adapter is merged onto another frozen weight than it was trained on: "
        "PiSSA's is decomposed anew by a randomised SVD (four iterations) when it is loaded, "
        "MiLoRA's was never saved, so the adapter goes onto the original base. Every other "
        "method adapts the whole base and loses nothing. The same policies as in the fair "
        "trials, scored again."
    ),
    "one-evaluation-seed": (
        "All k samples of a problem are drawn with the seed of the first, so they are one "
        "sample. Avg@k keeps its mean and is as noisy as Avg@1; Pass@k becomes Avg@1. The same "
        "policies as in the fair trials, scored again."
    ),
}

LIMITS = """## What it does not say

The model has 0.8 M parameters and 60 steps are few: drift grows with rounds, and the published runs
had 1,024. Each defect stands alone here; released, they came together. Adapters trained as plain
LoRA whatever their name, AdaLoRA without its schedule and LN tuning on a part of the norms are no
lines here, because no setting of a method may make it another; the conformance checks are about
them."""


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
