"""SHA-256 sums beside the files of a folder, in the form that `sha256sum --check` reads."""

from __future__ import annotations

import hashlib
from pathlib import Path

from verirank.config import InputError

SUMS = ".SHA256SUMS"
"""Hidden, so that pyarrow reads a folder of Parquet files without it."""


class DamagedError(InputError):
    """A file of a run is not what was written: it was changed, cut off or removed.

    Reports leave such a run out, and its study goes on with the others.
    """


def write_sums(folder: Path) -> None:
    """Write the SHA-256 of every file in a folder into its .SHA256SUMS."""
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.name != SUMS)
    _write(folder, {file.name: _sha256(file) for file in files})


def expect_sums(folder: Path) -> None:
    """Hold the files of a folder against its .SHA256SUMS.

    Raises:
        DamagedError: a file differs or is missing, or there are no sums.
    """
    sums = _read(folder)
    if not sums:
        raise DamagedError(f"{folder} is damaged: {SUMS} cannot be read")
    for name, expected in sums.items():
        if not (folder / name).exists():
            raise DamagedError(f"{folder} is damaged: {name} is missing")
        _expect(folder / name, expected)


def forget_sum(file: Path) -> None:
    """Take a file that is about to be replaced out of its folder's sums."""
    sums = _read(file.parent)
    if sums.pop(file.name, None):
        _write(file.parent, sums)


def remember_sum(file: Path) -> None:
    """Put a file that was just written into its folder's sums."""
    _write(file.parent, _read(file.parent) | {file.name: _sha256(file)})


def expect_sum(file: Path) -> None:
    """Hold a file against its folder's sums, where they list it.

    Raises:
        DamagedError: it differs.
    """
    if expected := _read(file.parent).get(file.name):
        _expect(file, expected)


def _expect(file: Path, expected: str) -> None:
    if _sha256(file) != expected:
        raise DamagedError(f"{file} is damaged: its SHA-256 is not the one in {SUMS}")


def _read(folder: Path) -> dict[str, str]:
    """Return the sums of a folder by file name; none where they cannot be read."""
    try:
        lines = (folder / SUMS).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    parts = (line.partition("  ") for line in lines)
    return {Path(name).name: value for value, _, name in parts if name}


def _write(folder: Path, sums: dict[str, str]) -> None:
    lines = [f"{value}  {name}\n" for name, value in sorted(sums.items())]
    scratch = folder / f"{SUMS}.partial"
    scratch.write_text("".join(lines), "utf-8")
    scratch.replace(folder / SUMS)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
