"""`verirank methods new` and its kind write a package that a fresh environment installs and ranks.

The example package of tests/plugins goes the same way.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from itertools import product
from pathlib import Path

import pytest

from command_line import verirank

KINDS = ["method", "algorithm", "task"]
EXAMPLE = Path(__file__).parents[1] / "plugins" / "verirank-example"


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_registers_its_class(kind: str, tmp_path: Path) -> None:
    done = verirank(f"{kind}s", "new", "my-own", "--out", tmp_path / "own")
    assert done.returncode == 0, done.stderr
    assert f"pip install -e {tmp_path / 'own'}" in done.stdout
    project = tomllib.loads((tmp_path / "own" / "pyproject.toml").read_text())["project"]
    assert project["entry-points"] == {f"verirank.{kind}s": {"my-own": "verirank_my_own:MyOwn"}}
    assert "class MyOwn(" in (tmp_path / "own" / "verirank_my_own.py").read_text()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["My-Own", "1st", "a_b", "a--b", ""])
def test_an_unusable_name_is_refused_in_one_line(kind: str, name: str, tmp_path: Path) -> None:
    done = verirank(f"{kind}s", "new", name, "--out", tmp_path / "own")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "use lower-case letters, digits and single hyphens" in done.stderr
    assert not (tmp_path / "own").exists()


def test_an_installed_name_and_a_folder_in_use_are_refused(tmp_path: Path) -> None:
    taken = verirank("methods", "new", "lora", "--out", tmp_path / "own")
    assert (taken.returncode, "already installed" in taken.stderr) == (2, True)
    (tmp_path / "notes.txt").write_text("mine")
    full = verirank("methods", "new", "my-own", "--out", tmp_path)
    assert (full.returncode, "is not empty" in full.stderr) == (2, True)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


class Environment:
    """A fresh virtual environment over the packages of this one, without network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
        self.python = folder / "venv" / "bin" / "python"
        (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
        inherited = [path for path in sys.path if path.endswith(("site-packages", "/src"))]
        (site / "inherited.pth").write_text("\n".join(inherited) + "\n")

    def install(self, package: Path) -> None:
        options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
        pip = [sys.executable, "-m", "pip", "--python", self.python, "install", *options, package]
        subprocess.run(pip, check=True)

    def run(self, *arguments: str | Path) -> str:
        """Return what a command prints; it must succeed."""
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        done = subprocess.run(
            [self.python, *arguments],
            cwd=self.folder,
            env=environment | {"COLUMNS": "200"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def verirank(self, *arguments: str | Path) -> str:
        return self.run("-m", "verirank", *arguments)


def methods_in(leaderboard: Path) -> set[str]:
    return {row["method"] for row in json.loads(leaderboard.read_text())["rows"]}


@pytest.mark.thorough
def test_new_packages_install_and_their_parts_are_proven_and_ranked(tmp_path: Path) -> None:
    fresh = Environment(tmp_path)
    for kind in KINDS:
        fresh.verirank(f"{kind}s", "new", f"my-{kind}", "--out", kind)
        fresh.install(tmp_path / kind)
    fresh.run("-m", "pytest", "-q", "-p", "no:cacheprovider", *KINDS)
    (report,) = json.loads(fresh.verirank("check", "my-method", "--json"))
    assert report["passed"]
    quick = ("--methods", "my-method,lora", "--steps", "2", "--processes", "1", "--out", "quick")
    fresh.verirank("quickstart", *quick)
    assert methods_in(tmp_path / "quick" / "leaderboard.json") == {"my-method", "lora"}
    parts = ("--algorithm", "my-algorithm", "--task", "my-task", "--method", "my-method")
    small = ("--set", "sampling.problems_per_step=2", "--set", "evaluation.problems=4")
    fresh.verirank("train", *parts, "--steps", "2", "--out", "run", *small)
    assert (tmp_path / "run" / "eval.json").is_file()


@pytest.mark.thorough
def test_a_package_with_a_part_of_each_kind_goes_from_check_to_report(tmp_path: Path) -> None:
    fresh = Environment(tmp_path)
    copy = shutil.copytree(EXAMPLE, tmp_path / "package")
    fresh.install(copy)
    (report,) = json.loads(fresh.verirank("check", "half-norms", "--json"))
    assert report["passed"]
    quick = ("--methods", "half-norms,lora", "--steps", "2", "--processes", "1", "--out", "quick")
    fresh.verirank("quickstart", *quick)
    assert methods_in(tmp_path / "quick" / "leaderboard.json") == {"half-norms", "lora"}
    study = copy / "study.toml"
    assert "half-norms" in fresh.verirank("study", "plan", study)
    fresh.verirank("plan", study)
    fresh.verirank("study", "run", study, "--out", "study")
    fresh.verirank("report", "study")
    rows = json.loads((tmp_path / "study" / "leaderboard.json").read_text())["rows"]
    ranked = {(row["method"], row["bench"]) for row in rows}
    assert ranked == set(product(["half-norms", "lora"], ["test", "doubles", "average"]))
    assert "half-norms" in (tmp_path / "study" / "report.html").read_text()
