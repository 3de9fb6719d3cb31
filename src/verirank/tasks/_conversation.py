"""Conversations: prompts as lists of {role, content}, as chat models are asked them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

_ROLES = ("system", "developer", "user", "assistant")
_ALSO_CALLED = {"human": "user", "gpt": "assistant"}


class Turn(NamedTuple):
    """One message of a conversation; `role` is system, developer, user or assistant."""

    role: str
    content: str


class RowError(ValueError):
    """A row of a data set cannot be used; the message says why, without naming the row."""


class NoAnswerError(RowError):
    """A row's answer column holds no answer in the form that the others have."""


def read_conversation(value: Any, column: str) -> tuple[Turn, ...]:
    """Return the turns of a conversation, without an assistant's at its end.

    Args:
        value: a list of {role, content}, or of ShareGPT's {from, value}; a content may be text or
            a list of text parts.
        column: what an error names.

    Raises:
        RowError: a turn has no role or text, or an unknown role, or the last is not a user's.
    """
    turns = [_turn(turn, column) for turn in (value if isinstance(value, list) else [value])]
    while turns and turns[-1].role == "assistant":
        turns.pop()
    if not turns or turns[-1].role != "user":
        raise RowError(f"the conversation in {column!r} does not end with a user's turn")
    return tuple(turns)


def unpacked(value: Any) -> Any:
    """Return a conversation that is stored as JSON text, as tables hold it, or the value itself."""
    if not (isinstance(value, str) and value.lstrip()[:2] in ("[{", '{"')):
        return value
    try:
        read = json.loads(value)
    except ValueError:
        return value
    return read if is_conversation(read) else value


def is_conversation(value: Any) -> bool:
    """Return whether a value is meant as a conversation: a message or a list of them."""
    if isinstance(value, Mapping):
        return bool({"role", "from"} & value.keys())
    return isinstance(value, list) and bool(value) and all(map(is_conversation, value))


def ends_with_an_answer(value: Any) -> bool:
    """Return whether a value is a conversation whose last turn is the assistant's."""
    value = unpacked(value)
    last = value[-1] if isinstance(value, list) and value else None
    return isinstance(last, Mapping) and (last.get("role") or last.get("from")) in (
        "assistant",
        "gpt",
    )


def _turn(turn: Mapping[str, Any], column: str) -> Turn:
    role = turn.get("role") or turn.get("from")
    role = _ALSO_CALLED.get(str(role), role)
    if role not in _ROLES:
        raise RowError(f"{column!r} has a turn of role {role!r}; it may be {', '.join(_ROLES)}")
    content = turn.get("content") if turn.get("content") is not None else turn.get("value")
    if isinstance(content, list):
        content = "".join(_text_of(part, column) for part in content)
    if not isinstance(content, str) or not content.strip():
        raise RowError(f"{column!r} has a {role} turn whose content is {_short(content)}, not text")
    return Turn(role, content)


def _text_of(part: Any, column: str) -> str:
    if isinstance(part, Mapping) and part.get("type", "text") == "text":
        return str(part.get("text") or "")
    if isinstance(part, Mapping):
        kind = part.get("type")
        raise RowError(
            f"{column!r} has a turn with a part of type {kind!r}; only text is supported"
        )
    raise RowError(f"{column!r} has a turn with a part that is no {{type, text}}: {_short(part)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
