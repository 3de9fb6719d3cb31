"""One independent random stream for each sample."""

from __future__ import annotations

import hashlib


def sample_seed(*where: str | int) -> int:
    """Return the 63-bit seed of a sample, a hash of all that identifies it.

    Args:
        where: for instance the trial's seed, the step, the problem's id and the sample's number.
    """
    digest = hashlib.blake2b("\x1f".join(map(str, where)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
