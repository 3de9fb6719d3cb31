"""Whether tests assert anything when they are executed."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

_LATER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.GeneratorExp)
_YIELDS = (ast.Yield, ast.YieldFrom)


def asserts_when_run(tests: Iterable[str], *, has_check: bool) -> bool:
    """Return whether an assert is reached by executing tests, as far as their form tells.

    It is where it stands at module level or in a function that is called there, by way of others
    too. Loops, `with`, `try` and `if` count as run; not so what stands under `if __name__ ...` or
    `if False`, in a function nobody calls, a coroutine, a generator, or a class of pytest's or
    unittest's, which no one runs here.

    Args:
        tests: Python sources, executed one after the other in one namespace.
        has_check: whether a function `check` of theirs is called at their end.
    """
    modules = [ast.parse(test) for test in tests]
    functions = {
        node.name: node
        for module in modules
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef)
        if not any(isinstance(inner, _YIELDS) for inner in _run(node.body))
    }
    waiting: list[ast.AST] = [*modules]
    if has_check and "check" in functions:
        waiting.append(ast.Module(functions.pop("check").body, []))
    while waiting:
        node = waiting.pop()
        assert isinstance(node, ast.Module)
        for part in _run(node.body):
            if isinstance(part, ast.Assert):
                return True
            if isinstance(part, ast.Call) and (called := functions.pop(_name(part.func), None)):
                waiting.append(ast.Module(called.body, []))
    return False


def _run(statements: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes that are executed with statements, without what is only defined."""
    for node in statements:
        yield node
        if isinstance(node, _LATER):
            continue
        if isinstance(node, ast.If) and _never_holds(node.test):
            yield from _run(node.orelse)
        else:
            yield from _run(ast.iter_child_nodes(node))


def _never_holds(test: ast.expr) -> bool:
    names = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
    return "__name__" in names or (isinstance(test, ast.Constant) and not test.value)


def _name(function: ast.expr) -> str:
    """Return the name under which a function or method is called, "" where it has none."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
