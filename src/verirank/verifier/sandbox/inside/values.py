"""Values between the answer's process and the tests', as JSON: plain ones by value, others named.

A value arrives as what it is made of: of a subclass of `int`, `list` or `dict`, such as a Counter,
the number, the elements or the pairs. What an answer says of its own equality never arrives.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any

_WRITTEN_PLAINLY = 10**18
_ELEMENTS: tuple[tuple[type, str], ...] = (
    (tuple, "tuple"),
    (set, "set"),
    (frozenset, "frozenset"),
    (deque, "deque"),
)


def write(value: Any, name_of: Callable[[Any], int]) -> bytes:
    """Return a value as JSON.

    Args:
        value: any.
        name_of: returns the number under which the other side can ask for a value that is not
            plain.
    """
    return json.dumps(_plain(value, name_of)).encode()


def read(text: bytes, named: Callable[[int], Any]) -> Any:
    """Return what `write` wrote.

    Args:
        text: by anybody.
        named: returns what stands for a value that was given a number.

    Raises:
        ValueError, TypeError, KeyError, RecursionError: `write` writes nothing like this.
    """
    return _value(json.loads(text), named)


def _plain(value: Any, name_of: Callable[[Any], int]) -> Any:
    # The functions of the types themselves: those of a subclass may say anything.
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        number = int.__int__(value)
        is_short = -_WRITTEN_PLAINLY < number < _WRITTEN_PLAINLY
        return number if is_short else {"int": int.__format__(number, "x")}
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, bytes | bytearray):
        return {type(value).__name__: bytes(value).hex()}
    if isinstance(value, range):
        return {"range": [value.start, value.stop, value.step]}
    if isinstance(value, list):
        return [_plain(one, name_of) for one in list.__iter__(value)]
    if isinstance(value, dict):
        pairs = dict.items(value)
        return {"dict": [[_plain(key, name_of), _plain(one, name_of)] for key, one in pairs]}
    for kind, name in _ELEMENTS:
        if isinstance(value, kind):
            return {name: [_plain(one, name_of) for one in kind.__iter__(value)]}  # type: ignore[attr-defined]
    return {"named": name_of(value)}


def _value(plain: Any, named: Callable[[int], Any]) -> Any:
    if isinstance(plain, list):
        return [_value(one, named) for one in plain]
    if not isinstance(plain, dict):
        return plain
    ((kind, inner),) = plain.items()
    if kind in _MADE:
        return _MADE[kind](inner)
    if kind == "named":
        return named(int(inner))
    elements = [_value(one, named) for one in inner]
    makers = {name: maker for maker, name in _ELEMENTS} | {"dict": dict}
    return makers[kind](elements)


_MADE: dict[str, Callable[[Any], Any]] = {
    "int": lambda digits: int(digits, 16),
    "complex": lambda parts: complex(*parts),
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "range": lambda ends: range(*ends),
}
