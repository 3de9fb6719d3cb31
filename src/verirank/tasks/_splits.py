"""Which split a problem belongs to, decided by the problem alone, so that splits cannot overlap."""

from __future__ import annotations

import hashlib
from typing import Literal

Split = Literal["train", "selection", "test"]


def split_of(key: str) -> Split:
    """Return the split of a problem: 10 % are for selection, 10 % for test, the rest for training.

    Args:
        key: what makes the problem the same problem, such as its operands or its id.
    """
    digest = hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=8).digest()
    bucket = int.from_bytes(digest, "big") % 10
    if bucket == 0:
        return "test"
    return "selection" if bucket == 1 else "train"
