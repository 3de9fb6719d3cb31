"""Which files of a data set hold a split: as its README says, or by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from verirank.config import InputError, is_problem_file

README = "README.md"
_SPLITS = re.compile(
    r"(?:^|[/._\- ])(train(?:ing)?|test|validation|valid|val|dev|eval)(?=[/._\- \d]|$)", re.I
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is read of a data set: `files` that a pattern names, or a split of a subset.

    In a pattern, * also stands for folders.
    """

    files: str | None = None
    split: str = "train"
    subset: str | None = None

    def of(self, names: Sequence[str], metadata: Mapping[str, Any], source: str) -> list[str]:
        """Return the chosen ones of a data set's files, in the order of their names.

        Args:
            names: paths in the data set.
            metadata: the head of its README, whose `configs` may name each split's files.
            source: what an error names.

        Raises:
            InputError: no file is chosen, or the split is in several folders.
        """
        names = sorted(name for name in names if is_problem_file(name))
        if self.files is not None:
            chosen = [name for name in names if fnmatch(name, self.files)]
            missing = f"no file {self.files!r} that problems can be read from"
        else:
            subsets = [c for c in metadata.get("configs") or [] if c.get("data_files")]
            chosen = self._by_readme(names, subsets, source) if subsets else self._by_name(names)
            of = f" of subset {self.subset!r}" if self.subset else ""
            missing = f"no files of split {self.split!r}{of}"
        if not chosen:
            there = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "") or "none"
            raise InputError(
                f"{source} has {missing}; its files: {there}. Set task.split, or task.files to the "
                "pattern of the files to read"
            )
        folders = {str(PurePosixPath(name).parent) for name in chosen}
        if self.files is None and not metadata.get("configs") and len(folders) > 1:
            several = ", ".join(sorted(folders))
            raise InputError(
                f"{source} has split {self.split!r} in several folders: {several}; set task.subset "
                "to one of them, or task.files to a pattern"
            )
        return chosen

    def _by_readme(
        self, names: Sequence[str], subsets: Sequence[Mapping[str, Any]], source: str
    ) -> list[str]:
        """Return the split's files of the subset that is named, the default, or the only one."""
        by_name = {str(subset.get("config_name", "default")): subset for subset in subsets}
        default = next((n for n, subset in by_name.items() if subset.get("default")), None)
        wanted = self.subset or default or ("default" if "default" in by_name else None)
        if wanted is None and len(by_name) == 1:
            (wanted,) = by_name
        if wanted not in by_name:
            raise InputError(f"{source} has the subsets {', '.join(by_name)}; set task.subset")
        patterns = _patterns(by_name[wanted]["data_files"], self.split)
        return [name for name in names if any(fnmatch(name, pattern) for pattern in patterns)]

    def _by_name(self, names: Sequence[str]) -> list[str]:
        if self.subset:
            names = [name for name in names if self.subset in PurePosixPath(name).parts]
        splits = {name: {s.lower() for s in _SPLITS.findall(name)} for name in names}
        chosen = [n for n in names if self.split in splits[n] or _has_word(n, self.split)]
        if not chosen and self.split == "train" and not any(splits.values()):
            return list(names)
        return chosen


def metadata_of(folder: Path) -> Mapping[str, Any]:
    """Return the YAML head of a data set's README; empty where there is none."""
    from huggingface_hub import metadata_load

    readme = folder / README
    return (metadata_load(readme) or {}) if readme.is_file() else {}


def _patterns(data_files: Any, split: str) -> list[str]:
    """Return the patterns of a split in a README's `data_files`, in any of its forms."""
    entries = data_files if isinstance(data_files, list) else [data_files]
    patterns: list[str] = []
    for entry in entries:
        if not isinstance(entry, Mapping):
            entry = {"split": "train", "path": entry}
        if entry.get("split", "train") == split:
            path = entry.get("path", [])
            patterns += [path] if isinstance(path, str) else path
    return patterns


def _has_word(name: str, word: str) -> bool:
    return bool(re.search(rf"(?:^|[/._\- ]){re.escape(word)}(?=[/._\- \d]|$)", name))
