"""Writes an installable package that brings one method, algorithm or task of its own."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Literal

import click

from verirank.config import InputError, plugin_names

PackageKind = Literal["method", "algorithm", "task"]
_TEMPLATES = files("verirank.cli") / "templates"


def new_command(kind: PackageKind) -> click.Command:
    """Return the command `new NAME --out DIR` of one kind of plugin."""

    @click.command("new", help=f"Write an installable package with a new {kind} into a folder.")
    @click.argument("name")
    @click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        required=True,
        help="Folder of the package; must be empty or missing.",
    )
    def new(name: str, out: Path) -> None:
        write_package(kind, name, out)
        click.echo(f"wrote {kind} {name!r} to {out}; next:\n  pip install -e {out}")
        click.echo("\n".join(f"  {line}" for line in _NEXT[kind](name)))

    return new


def write_package(kind: PackageKind, name: str, out: Path) -> None:
    """Write `pyproject.toml`, the module with the class, and a test.

    Raises:
        InputError: the name is taken or unusable, or the folder is not empty.
    """
    _expect_new(kind, name)
    if out.exists() and any(out.iterdir()):
        raise InputError(f"--out {out} is not empty; name a new folder")
    module = f"verirank_{name.replace('-', '_')}"
    values = {
        "kind": kind,
        "name": name,
        "module": module,
        "class_name": "".join(part.capitalize() for part in name.split("-")),
    }
    targets = {
        "pyproject.toml": "pyproject.toml.in",
        f"{module}.py": f"{kind}.py.in",
        f"test_{module}.py": f"test_{kind}.py.in",
    }
    out.mkdir(parents=True, exist_ok=True)
    for target, template in targets.items():
        text = (_TEMPLATES / template).read_text("utf-8")
        (out / target).write_text(Template(text).substitute(values), "utf-8")


def _expect_new(kind: PackageKind, name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise InputError(
            f"{kind} name {name!r}: use lower-case letters, digits and single hyphens, such as "
            f"my-{kind}"
        )
    if name in plugin_names(kind):
        raise InputError(f"{kind} {name!r} is already installed; choose another name")


_NEXT: dict[PackageKind, Callable[[str], tuple[str, ...]]] = {
    "method": lambda name: (
        f"verirank check {name}",
        f"verirank quickstart --methods {name},lora",
    ),
    "algorithm": lambda name: (f"verirank train --algorithm {name} --out runs/{name}",),
    "task": lambda name: (
        f"verirank tasks show {name}",
        f"verirank train --task {name} --out runs/{name}",
    ),
}
