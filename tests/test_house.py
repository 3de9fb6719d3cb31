"""The house rules that a reader relies on, checked over the whole source."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "verirank"
ROOMS = [
    "cli",
    "api",
    "integrations",
    "report",
    "ranking",
    "study",
    "trial",
    "defects",
    "export",
    "evaluation",
    "geometry",
    "planning",
    "training",
    "algorithms",
    "methods",
    "sampling",
    "tasks",
    "tracking",
    "verifier",
    "processes",
    "models",
    "record",
    "kernels",
    "statistics",
    "config",
]
FILES = sorted(SOURCE.rglob("*.py"))
CATCH_ALLS = {"utils", "util", "helpers", "helper", "common", "base", "misc", "tools", "shared"}


def imports(file: Path) -> Iterator[str]:
    """Yield the full name of every module that a file imports from the package."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names = [node.module or ""]
            if node.module == "verirank":
                names = [f"verirank.{alias.name}" for alias in node.names]
                assert file.parent == SOURCE, f"{file}: from verirank import"
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.startswith("verirank."))


def crossings() -> Iterator[tuple[Path, str, list[str]]]:
    """Yield file, own room and imported path wherever a file imports from another room."""
    for file in FILES:
        room = file.relative_to(SOURCE).parts[0]
        for name in imports(file):
            path = name.split(".")[1:]
            if room in ROOMS and path[0] != room:
                yield file, room, path


def test_every_folder_of_the_package_is_a_known_room() -> None:
    folders = {file.relative_to(SOURCE).parts[0] for file in FILES if file.parent != SOURCE}
    assert folders == set(ROOMS)


def test_rooms_import_only_downwards() -> None:
    wrong = [
        f"{file.relative_to(SOURCE)} imports {'.'.join(path)}"
        for file, room, path in crossings()
        if ROOMS.index(path[0]) < ROOMS.index(room)
    ]
    assert not wrong


def test_rooms_are_entered_only_through_their_front_door() -> None:
    wrong = [
        f"{file.relative_to(SOURCE)} imports {'.'.join(path)}"
        for file, _, path in crossings()
        if len(path) > 1
    ]
    assert not wrong


def module_of(file: Path) -> str:
    """Return the full name of a file's module; a folder's front door has the folder's name."""
    parts = ("verirank", *file.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if file.stem == "__init__" else parts)


def imported_modules() -> dict[str, set[str]]:
    """Return the modules of the package that each of its modules imports, wherever it does so."""
    known = set(map(module_of, FILES))
    found: dict[str, set[str]] = {}
    for file in FILES:
        names = set[str]()
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                full = {f"{node.module}.{alias.name}" for alias in node.names}
                names |= full & known if full <= known else (full & known) | {node.module or ""}
            elif isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
        found[module_of(file)] = (names & known) - {module_of(file)}
    return found


def test_the_only_circle_of_imports_among_the_modules_is_method_and_policy() -> None:
    found = imported_modules()
    circle = {"verirank.methods._method", "verirank.methods._policy"}
    for module in circle:
        assert found[module] & circle, "the exception is not needed"
        found[module] -= circle
    TopologicalSorter(found).prepare()  # names a circle, if there is one


def test_folders_import_in_one_direction_but_for_their_front_doors() -> None:
    """A front door passes on what the folders inside define; whatever else imports is below it."""
    doors = {module_of(file) for file in FILES if file.stem == "__init__"}
    folders: dict[str, set[str]] = {}
    for module, others in imported_modules().items():
        if module in doors:
            continue
        own = module.rpartition(".")[0]
        theirs = {name if name in doors else name.rpartition(".")[0] for name in others}
        folders.setdefault(own, set()).update(theirs - {own, "verirank"})
    TopologicalSorter(folders).prepare()


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "cli"])
def test_a_room_exports_what_it_names(room: str) -> None:
    module = importlib.import_module(f"verirank.{room}")
    names = getattr(module, "__all__", [])
    assert sorted(set(names)) == sorted(names), "a name stands twice"
    assert not [name for name in names if not hasattr(module, name)]
    assert not [name for name in names if name.startswith("_")]


def test_no_source_file_is_longer_than_400_lines() -> None:
    lengths = {file: len(file.read_text("utf-8").splitlines()) for file in FILES}
    assert not {str(file): length for file, length in lengths.items() if length > 400}


def test_no_room_is_longer_than_3000_lines() -> None:
    lengths = Counter[str]()
    for file in FILES:
        lengths[str(file.parent.relative_to(SOURCE))] += len(file.read_text("utf-8").splitlines())
    assert not {room: length for room, length in lengths.items() if length > 3000}


def only_forwards(file: Path) -> bool:
    """Return whether a file merely passes on what others define: aliases, or one call each."""
    return all(map(is_forwarding, ast.parse(file.read_text("utf-8")).body))


def is_forwarding(statement: ast.stmt) -> bool:
    """Return whether a statement imports, renames, or wraps one call of something else."""
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(value=ast.Name() | ast.Attribute() | ast.List()):
            return True
        case ast.FunctionDef(body=body):
            work = [inner for inner in body if not is_forwarding(inner)]
            return len(work) == 1 and isinstance(work[0], ast.Return) and passes_on(work[0].value)
        case _:
            return False


def passes_on(value: ast.expr | None) -> bool:
    """Return whether an expression is a name, or one call with names and constants."""
    if isinstance(value, ast.Call):
        arguments = [*value.args, *(keyword.value for keyword in value.keywords)]
        plain = (ast.Name, ast.Attribute, ast.Constant)
        return all(isinstance(argument, plain) for argument in arguments)
    return isinstance(value, ast.Name | ast.Attribute)


def test_no_file_only_forwards() -> None:
    fronts = {"__init__.py", "__main__.py"}
    assert not [file for file in FILES if file.name not in fronts and only_forwards(file)]


def test_a_file_that_only_forwards_is_seen(tmp_path: Path) -> None:
    forwarding, working = tmp_path / "forwarding.py", tmp_path / "working.py"
    forwarding.write_text(
        '"""Nothing."""\nfrom math import sqrt\n\nroot = sqrt\n\n\n'
        'def other(x: float) -> float:\n    """Return it."""\n    return sqrt(x)\n'
    )
    working.write_text("from math import sqrt\n\n\ndef two(x):\n    return sqrt(x) + sqrt(x)\n")
    assert only_forwards(forwarding)
    assert not only_forwards(working)


def test_no_module_is_a_catch_all() -> None:
    assert not [file for file in FILES if file.stem.strip("_") in CATCH_ALLS]


@pytest.mark.parametrize("arguments", [["-c", "import verirank"], ["-m", "verirank", "--help"]])
def test_starting_up_takes_under_400_milliseconds_of_a_core(arguments: list[str]) -> None:
    seconds = []
    for _ in range(5):
        before = os.times()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        after = os.times()
        seconds.append(sum(after[2:4]) - sum(before[2:4]))
    assert min(seconds) < 0.4


@pytest.mark.parametrize("arguments", [["-c", "import verirank"], ["-m", "verirank", "--help"]])
def test_starting_up_loads_no_torch(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], check=True, capture_output=True, text=True
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "verirank" in loaded
    assert not {"torch", "transformers", "peft", "altair", "scipy"} & loaded


def test_the_lock_pins_every_requirement_to_a_version_that_satisfies_it() -> None:
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    locked = {re.sub(r"[-_.]+", "-", name).lower(): pin for name, pin in pins.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [
        Requirement(r) for r in [*project["dependencies"], *extras["dev"], *extras["smollm2"]]
    ]
    names = {re.sub(r"[-_.]+", "-", r.name).lower(): r for r in wanted}
    assert not [name for name, r in names.items() if locked.get(name, "") not in r.specifier]


def test_the_lock_is_what_these_tests_run_with() -> None:
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    for name in ("torch", "transformers", "peft", "trl", "math-verify"):
        assert version(name).partition("+")[0] == pins[name]


def pins(lock: str) -> dict[str, str]:
    """Return the versions that a lock names, by the packages' normal names."""
    lines = (ROOT / lock).read_text("utf-8").splitlines()
    pinned = (line.split("==") for line in lines if not line.startswith("#"))
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pinned}


@pytest.mark.parametrize("lock", ["requirements-vllm.lock", "requirements-trackers.lock"])
def test_an_optional_lock_names_no_package_of_the_lock(lock: str) -> None:
    assert not pins("requirements.lock").keys() & pins(lock).keys()
    assert not {"torch", "torchvision", "torchaudio", "torchcodec", "triton"} & pins(lock).keys()


def test_optional_locks_agree_on_what_both_name() -> None:
    vllm, trackers = pins("requirements-vllm.lock"), pins("requirements-trackers.lock")
    both = vllm.keys() & trackers.keys()
    assert {name: vllm[name] for name in both} == {name: trackers[name] for name in both}


def test_ci_runs_the_test_command_that_the_readme_gives() -> None:
    command = re.findall(r"^make .*test-all$", (ROOT / ".ci" / "run").read_text("utf-8"), re.M)
    assert len(command) == 1
    targets = [word for word in command[0].split()[1:] if not word.startswith("-")]
    assert f"make {' '.join(targets)}" in (ROOT / "README.md").read_text("utf-8")
