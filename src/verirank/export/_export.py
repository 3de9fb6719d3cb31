"""From a finished run on disk to a folder that can be shipped."""

from __future__ import annotations

from pathlib import Path

from verirank.config import InputError
from verirank.export._card import model_card
from verirank.export._forms import Form, write_policy
from verirank.methods import load_policy
from verirank.models import load_base
from verirank.record import Run, whole_folder


def export_run(run: Run, form: Form, out: Path) -> None:
    """Write a finished run's policy and its model card into a new folder, whole or not at all.

    Args:
        run: the run.
        form: one of `FORMS`.
        out: does not exist, or is an empty folder.

    Raises:
        InputError: the folder is taken, the run is not finished or has a defect on purpose, its
            base has changed, or its method has no such form.
    """
    out = out.resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"output folder {out} is not empty; choose another")
    _refuse_invalid(run)
    base = load_base(run.config.model)
    run.expect_base(base.fingerprint())
    policy = load_policy(base, run.folder / "adapter")
    with whole_folder(out) as folder:
        write_policy(policy, form, folder)
        (folder / "README.md").write_text(model_card(run, form, base), "utf-8")


def _refuse_invalid(run: Run) -> None:
    if run.defect:
        raise InputError(
            f"{run.folder} has the defect {run.defect!r}, on purpose: it is not shipped"
        )
    if run.status == "failed":
        raise InputError(f"{run.folder} is no valid run: {run.manifest.get('error', 'it failed')}")
    if run.status != "done":
        raise InputError(f"{run.folder} is not finished; run: verirank train --resume {run.folder}")
    if failed := run.failed_checks:
        raise InputError(f"{run.folder} is no valid run: its method failed {', '.join(failed)}")
