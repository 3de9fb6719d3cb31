"""The installed methods as parameters: the default contenders, and all others where time allows."""

from __future__ import annotations

import pytest

from verirank.config import CONTENDERS, plugin_names

OTHERS = tuple(name for name in plugin_names("method") if name not in CONTENDERS)
METHODS = [*CONTENDERS, *(pytest.param(name, marks=pytest.mark.thorough) for name in OTHERS)]
