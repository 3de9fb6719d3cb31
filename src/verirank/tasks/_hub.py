"""Data sets from the Hugging Face Hub: the files that a pattern names, at one commit, cached.

`huggingface_hub` and `pyarrow` are enough for files of rows. The `datasets` package would add a
dozen more to write them anew as Arrow files, and to split them by rules that a reader cannot see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

from verirank.config import InputError, first_line, why_refused
from verirank.tasks._columns import Row
from verirank.tasks._problem_file import FORMATS, read_rows

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SECONDS = 10
_INSTEAD = "with copies of the named sets, set task.data_dir (--data-dir)"


def hub_rows(repository: str, revision: str, files: str) -> Iterator[Row]:
    """Yield the numbered rows of a data set's files, in the order of their names.

    Args:
        repository: the data set's id, `owner/name`.
        revision: a commit, tag or branch.
        files: a pattern of the paths to read, in which * also stands for folders.

    Raises:
        InputError: there is no such data set, commit or file, it may not be read without a token,
            or the Hub cannot be reached and the files were never downloaded.
    """
    number = 0
    for path in _downloaded(repository, revision, files):
        for _, row in read_rows(str(path)):
            number += 1
            yield number, row


def _downloaded(repository: str, revision: str, files: str) -> list[Path]:
    folder = _snapshot(repository, revision, files)
    names = [str(path.relative_to(folder)) for path in folder.rglob("*")]
    chosen = sorted(name for name in names if fnmatch(name, files) and name.endswith(FORMATS))
    if not chosen:
        raise InputError(
            f"data set {repository!r} at {revision} has no file {files!r} that ends in one of "
            f"{', '.join(FORMATS)}; set task.files to the pattern of the files to read"
        )
    return [folder / name for name in chosen]


def _snapshot(repository: str, revision: str, files: str) -> Path:
    from huggingface_hub import HfApi, errors

    cause: Exception | None = None
    cached = partial(_fetched, repository, revision, files, local_files_only=True)
    try:
        if _COMMIT.fullmatch(revision) and (folder := cached()):
            return folder
        # A download would try again for half a minute where nobody answers.
        HfApi().dataset_info(repository, revision=revision, timeout=_SECONDS)
        if folder := _fetched(repository, revision, files, local_files_only=False):
            return folder
        reason = "cannot be downloaded"
    except (errors.HFValidationError, errors.HTTPError, OSError) as error:  # type: ignore[reportPrivateImportUsage]
        refused = why_refused(error, revision)
        if refused is None and (folder := cached()):
            return folder
        reason = refused or (
            f"cannot be downloaded and is not in the cache ({first_line(error)}); {_INSTEAD}"
        )
        cause = error
    raise InputError(f"data set {repository!r} {reason}") from cause


def _fetched(repository: str, revision: str, files: str, *, local_files_only: bool) -> Path | None:
    """Return the folder of a snapshot that holds the files, or None where it cannot be had."""
    from huggingface_hub import errors, snapshot_download

    with suppress(errors.LocalEntryNotFoundError):
        return Path(
            snapshot_download(
                repository,
                repo_type="dataset",
                revision=revision,
                allow_patterns=files,
                local_files_only=local_files_only,
            )
        )
    return None
