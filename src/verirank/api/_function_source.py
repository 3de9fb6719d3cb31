"""The source of a function, made to stand alone in a file of its own."""

from __future__ import annotations

import builtins
import dis
import inspect
import textwrap
from collections.abc import Callable
from types import CodeType, FunctionType, ModuleType
from typing import Any

from verirank.config import InputError


def function_source(function: Callable[..., Any]) -> str:
    """Return a function's source after imports of the modules that it uses.

    Raises:
        InputError: it is a lambda, its source is not available, or it uses other names from
            outside itself.
    """
    name = function.__name__
    if not inspect.isfunction(function) or name == "<lambda>":
        raise InputError("a reward is a function made by `def`; a lambda or an object has no name")
    used = _names_from_outside(function)
    modules = {alias: value for alias, value in used.items() if isinstance(value, ModuleType)}
    if others := sorted(used.keys() - modules.keys()):
        raise InputError(
            f"reward {name!r} uses {', '.join(others)} from outside itself: define that inside the "
            "function, or put both into a file and pass reward='FILE.py:FUNCTION'"
        )
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        raise InputError(
            f"the source of reward {name!r} is not available: put it into a file and pass "
            f"reward='FILE.py:{name}'"
        ) from None
    imports = [f"import {module.__name__} as {alias}\n" for alias, module in modules.items()]
    text = "from __future__ import annotations\n\n" + "".join(imports) + "\n\n" + source
    _expect_definition(text, name)
    return text


def _names_from_outside(function: FunctionType) -> dict[str, Any]:
    """Return what a function and all code nested in it read from outside, by name."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    enclosing = {name: cell.cell_contents for name, cell in cells}
    read = _global_names(function.__code__) - vars(builtins).keys()
    return enclosing | {name: function.__globals__.get(name) for name in sorted(read)}


def _global_names(code: CodeType) -> set[str]:
    """Return the global names that code reads, its comprehensions and inner functions included."""
    names = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    nested = (_global_names(inner) for inner in code.co_consts if isinstance(inner, CodeType))
    return names.union(*nested)


def _expect_definition(text: str, name: str) -> None:
    """Refuse source whose decorators or defaults need names from outside.

    Raises:
        InputError: the source does not run by itself.
    """
    try:
        exec(compile(text, f"reward {name}", "exec"), {})
    except Exception as error:
        raise InputError(
            f"reward {name!r} cannot stand alone ({type(error).__name__}: {error}): put it into a "
            f"file with all that it needs and pass reward='FILE.py:{name}'"
        ) from error
