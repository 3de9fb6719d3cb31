"""Which linear layers the names and patterns of `method.modules` mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from verirank.config import InputError

LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The seven linear layers of a Llama-like block: the default modules of every method."""


def path_of(name: str) -> str:
    """Return where a linear layer stands in its decoder layer, without any numbers.

    Of `model.layers.0.mlp.experts.3.down_proj` that is `mlp.experts.down_proj`.
    """
    parts = name.split(".")
    first = next((n for n, part in enumerate(parts) if part.isdigit()), -1)
    return ".".join(part for part in parts[first + 1 :] if not part.isdigit())


def selects(modules: Sequence[str], path: str) -> bool:
    """Return whether a linear layer is meant.

    Args:
        modules: last parts of names, of which the seven of Llama stand for all linear layers; and
            patterns behind a `!`, which leave out what their paths match.
        path: what `path_of` returned.
    """
    if any(fnmatchcase(path, pattern[1:]) for pattern in modules if pattern.startswith("!")):
        return False
    names = tuple(name for name in modules if not name.startswith("!"))
    return names == LINEARS or path.rpartition(".")[2] in names


def expect_there(modules: Sequence[str], paths: Iterable[str]) -> None:
    """Refuse names and patterns that mean none of a model's linear layers.

    Raises:
        InputError: there are such; the message lists those that the model has.
    """
    there = list(dict.fromkeys(paths))
    names = tuple(name for name in modules if not name.startswith("!"))
    last = list(dict.fromkeys(path.rpartition(".")[2] for path in there))
    missing = set() if names == LINEARS else set(names) - set(last)
    if missing:
        raise InputError(
            f"method.modules: the model has no linear layer {', '.join(sorted(missing))}; "
            f"it has {', '.join(last)}"
        )
    for pattern in (one for one in modules if one.startswith("!")):
        if not any(fnmatchcase(path, pattern[1:]) for path in there):
            raise InputError(
                f"method.modules: {pattern} leaves out nothing; the linear layers are "
                f"{', '.join(there)}"
            )
    if not any(selects(modules, path) for path in there):
        raise InputError("method.modules leaves no linear layer of the model")
