"""Where what can be made again is kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the user's cache folder for converted models and remembered proofs."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "verirank"
