"""What the trials of a study scored, to compare studies to the bit."""

from __future__ import annotations

from pathlib import Path

from verirank.record import read_trial_list


def scores(out: Path) -> dict[str, str]:
    """Return the text of every trial's eval.json, by the trial's id."""
    listed = read_trial_list(out)
    assert listed is not None
    return {e.id: (listed.folder(e) / "eval.json").read_text() for e in listed.entries}
