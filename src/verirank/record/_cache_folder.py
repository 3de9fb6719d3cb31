"""Where converted models, proofs and probes are cached."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the user's cache folder: XDG_CACHE_HOME/verirank, by default ~/.cache/verirank."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "verirank"
