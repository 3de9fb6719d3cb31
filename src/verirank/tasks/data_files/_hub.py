"""Data sets from the Hugging Face Hub: the files that a pattern names, at one commit, cached.

`huggingface_hub` and `pyarrow` are enough for files of rows. The `datasets` package would add a
dozen more to write them anew as Arrow files, and to split them by rules that a reader cannot see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from verirank.config import InputError
from verirank.tasks.data_files._rows import Row, read_rows
from verirank.tasks.data_files._split_files import README, Choice, metadata_of

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SECONDS = 10
_INSTEAD = "with copies of the named sets, set task.data_dir (--data-dir)"


def hub_rows(repository: str, revision: str, choice: Choice) -> Iterator[Row]:
    """Yield the numbered rows of a data set's files, in the order of their names.

    Args:
        repository: the data set's id, `owner/name`.
        revision: a commit, tag or branch.
        choice: which of its files are read.

    Raises:
        InputError: there is no such data set, commit or file, it may not be read without a token,
            or the Hub cannot be reached and the files were never downloaded.
    """
    folder = _snapshot(repository, revision, choice)
    yield from folder_rows(folder, choice, _said(repository, revision))


def folder_rows(folder: Path, choice: Choice, source: str) -> Iterator[Row]:
    """Yield the numbered rows of a folder's files, in the order of their names.

    Args:
        folder: exists; laid out as a data set of the Hub is.
        choice: which of its files are read.
        source: what an error names.

    Raises:
        InputError: none is chosen, or one cannot be read.
    """
    number = 0
    for name in choice.of(_names(folder), metadata_of(folder), source):
        for _, row in read_rows(str(folder / name)):
            number += 1
            yield number, row


def _names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _said(repository: str, revision: str) -> str:
    return f"data set {repository!r} at {revision}"


def _snapshot(repository: str, revision: str, choice: Choice) -> Path:
    from huggingface_hub import HfApi, errors

    from verirank.models import why_refused

    cause: Exception | None = None
    try:
        if _COMMIT.fullmatch(revision) and (folder := _cached(repository, revision, choice)):
            return folder
        # A download would try again for half a minute where nobody answers.
        info = HfApi().dataset_info(repository, revision=revision, timeout=_SECONDS)
        names = [file.rfilename for file in info.siblings or ()]
        head = _fetched(repository, revision, [README]) if README in names else None
        metadata = metadata_of(head) if head else {}
        files = choice.of(names, metadata, _said(repository, revision))
        if folder := _fetched(repository, revision, [*files, README]):
            return folder
        reason = "cannot be downloaded"
    except (errors.HFValidationError, errors.HTTPError, OSError) as error:  # type: ignore[reportPrivateImportUsage]
        refused = why_refused(error, revision)
        if refused is None and (folder := _cached(repository, revision, choice)):
            return folder
        first_line = str(error).strip().partition("\n")[0]
        reason = refused or (
            f"cannot be downloaded and is not in the cache ({first_line}); {_INSTEAD}"
        )
        cause = error
    raise InputError(f"data set {repository!r} {reason}") from cause


def _cached(repository: str, revision: str, choice: Choice) -> Path | None:
    """Return the folder of the snapshot in the cache, where it holds what is chosen."""
    folder = _fetched(repository, revision, [], local_files_only=True)
    with suppress(InputError):
        if folder and choice.of(_names(folder), metadata_of(folder), ""):
            return folder
    return None


def _fetched(
    repository: str, revision: str, files: list[str], *, local_files_only: bool = False
) -> Path | None:
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
