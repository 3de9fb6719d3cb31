"""Functions by name, as workers call them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any


@cache
def load_function(name: str) -> Callable[..., Any]:
    """Return the function that `MODULE:FUNCTION` or `FILE.py:FUNCTION` names, imported once.

    Raises:
        ImportError: there is no such function, or no such file.
        Exception: whatever the module raises while it is imported.
    """
    source, _, attribute = name.rpartition(":")
    module = _module_of_file(source) if source.endswith(".py") else import_module(source)
    function = getattr(module, attribute, None)
    if not callable(function):
        raise ImportError(f"it has no function {attribute!r}")
    return function


def _module_of_file(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"reward_{Path(path).stem}", path)
    if spec is None or spec.loader is None or not Path(path).is_file():
        raise ImportError("no such file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses, among others, look their module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
