"""VeriRank: which PEFT method to use for reinforcement learning with verifiable rewards.

The names below load torch when they are first used, not when the package is imported.
"""

from __future__ import annotations

# As type checkers know it; `typing` itself would take most of the time of this import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from verirank.api import (
        compare,
        define_task,
        evaluate,
        load_model,
        open_run,
        preview,
        read_table,
        train,
    )

__version__: str
__all__ = [
    "__version__",
    "compare",
    "define_task",
    "evaluate",
    "load_model",
    "open_run",
    "preview",
    "read_table",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("verirank")
    if name in __all__:
        from verirank import api

        return getattr(api, name)
    raise AttributeError(f"module 'verirank' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
