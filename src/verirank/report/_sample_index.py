"""What was read of many runs, kept in one file, so that a large store is not read again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from verirank.record import whole_file
from verirank.report._samples import BenchSamples

_SCHEMA = pa.schema(
    {
        "file": pa.string(),
        "stamp": pa.int64(),
        "size": pa.int64(),
        "problems": pa.dictionary(pa.int32(), pa.string()),
        "before_k": pa.int32(),
        "after_k": pa.int32(),
        "before": pa.binary(),
        "after": pa.binary(),
    }
)


@dataclass
class SampleIndex:
    """Which samples of which file are right, by the file's path, time of writing and size.

    The samples themselves stay the truth: a file that changed is read again, and an index that
    cannot be read is begun anew.
    """

    path: Path | None = None
    _known: dict[str, tuple[int, int, BenchSamples]] = field(default_factory=dict)
    _grew: bool = False

    def __post_init__(self) -> None:
        """Load what the file holds."""
        if self.path and self.path.is_file():
            try:
                rows = pq.read_table(self.path, schema=_SCHEMA).to_pylist()
            except (OSError, ValueError):
                return
            for row in rows:
                self._known[row["file"]] = (row["stamp"], row["size"], _unpacked(row))

    def get(self, file: Path) -> BenchSamples | None:
        """Return what is known of a file as it is now."""
        known = self._known.get(str(file))
        if known is None:
            return None
        now = file.stat()
        return known[2] if known[:2] == (now.st_mtime_ns, now.st_size) else None

    def put(self, file: Path, samples: BenchSamples) -> None:
        """Remember what was read of a file."""
        now = file.stat()
        self._known[str(file)] = (now.st_mtime_ns, now.st_size, samples)
        self._grew = True

    def save(self) -> None:
        """Write the index, where there is a place for it and something is new."""
        if not self.path or not self._grew:
            return
        rows = [_packed(file, *known) for file, known in self._known.items()]
        with whole_file(self.path) as scratch:
            pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), scratch)


def _packed(file: str, stamp: int, size: int, samples: BenchSamples) -> dict[str, Any]:
    return {
        "file": file,
        "stamp": stamp,
        "size": size,
        "problems": _as_text(samples.problems),
        "before_k": samples.before_PK.shape[1],
        "after_k": samples.after_PK.shape[1],
        "before": np.packbits(samples.before_PK).tobytes(),
        "after": np.packbits(samples.after_PK).tobytes(),
    }


def _unpacked(row: dict[str, Any]) -> BenchSamples:
    problems, arrays = _as_names(row["problems"]), []
    for stage in ("before", "after"):
        shape = (len(problems), row[f"{stage}_k"])
        bits = np.unpackbits(np.frombuffer(row[stage], np.uint8), count=shape[0] * shape[1])
        arrays.append(bits.reshape(shape).astype(np.bool_))
    return BenchSamples(problems, *arrays)


# Thousands of runs share a handful of benches.
@cache
def _as_text(problems: tuple[str, ...]) -> str:
    return json.dumps(problems)


@cache
def _as_names(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))
