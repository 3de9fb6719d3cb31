"""What the documents say can be done can be done."""

from __future__ import annotations

import ast
import csv
import json
import linecache
import re
import shlex
import tomllib
from importlib import import_module
from pathlib import Path

import click
import pytest
from scaling import head, page

from verirank.cli import root
from verirank.config import TrialConfig
from verirank.record import cache_folder
from verirank.study import make_study, plan_study

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]


def commands() -> list[str]:
    found = []
    for document in DOCUMENTS:
        text = document.read_text("utf-8")
        for block in re.findall(r"```(?:sh|bash)\n(.*?)```", text, re.DOTALL):
            found += [line.strip() for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in found if line.startswith("verirank ")]


@pytest.mark.parametrize("line", commands())
def test_every_command_in_the_documents_parses(line: str) -> None:
    arguments = shlex.split(line, comments=True)[1:]
    with click.Context(root) as context:
        command = root.get_command(context, arguments[0])
        assert command is not None
        rest = arguments[1:]
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            command, rest = command.commands[rest[0]], rest[1:]
        command.make_context(arguments[0], rest)


def studies() -> list[str]:
    texts = [(ROOT / name).read_text("utf-8") for name in ("README.md", "docs/studies.md")]
    return [found for t in texts for found in re.findall(r"```toml\n(.*?)```", t, re.DOTALL)]


@pytest.mark.parametrize("study", studies(), ids=lambda text: tomllib.loads(text)["name"])
def test_the_studies_in_the_documents_are_studies(
    study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f'{{"id": "{n}", "problem": "{n}+1=", "answer": "{n + 1}"}}\n' for n in range(100)]
    settings = tomllib.loads(study)
    task = settings.get("trial", {}).get("task", {})
    (tmp_path / task.get("name", "problems.jsonl")).write_text("".join(lines), "utf-8")
    monkeypatch.chdir(tmp_path)
    assert plan_study(make_study(settings), probe=False).trials


def test_the_make_targets_of_the_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for document in DOCUMENTS:
        text = document.read_text("utf-8")
        code = "\n".join(a or b for a, b in re.findall(r"```\w*\n(.*?)```|`([^`\n]+)`", text, re.S))
        for target in re.findall(r"(?m)^make ([a-z0-9]+)", code):
            assert re.search(rf"(?m)^{target}:", makefile), f"{document}: make {target}"


def test_the_page_of_what_a_step_costs_says_what_its_numbers_give() -> None:
    folder = ROOT / "docs" / "results" / "cost"
    with (folder / "slopes.csv").open(newline="", encoding="utf-8") as file:
        found = [
            {"method": row.pop("method")} | {k: float(v) if v else None for k, v in row.items()}
            for row in csv.DictReader(file)
        ]
    assert (folder / "cost.md").read_text("utf-8") == head(found, "AMD EPYC") + page(found)


def test_links_between_the_documents_lead_somewhere() -> None:
    for document in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text("utf-8")):
            assert (document.parent / link).exists(), f"{document}: {link}"


def python_blocks() -> list[str]:
    text = (ROOT / "docs" / "python.md").read_text("utf-8")
    return [block.strip() for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)]


def test_the_notebook_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    # A cache of its own for what the notebook defines; proofs are made once for all tests.
    proofs = cache_folder() / "conformance"
    proofs.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cache_folder().mkdir(parents=True)
    (cache_folder() / "conformance").symlink_to(proofs)
    cells = json.loads((ROOT / "docs" / "notebook.ipynb").read_text("utf-8"))["cells"]
    scope: dict[str, object] = {"__name__": "notebook"}
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            source, name = "".join(cell["source"]), f"<cell {number}>"
            # As a notebook does it, so that a function's source can be read.
            linecache.cache[name] = (len(source), None, source.splitlines(True), name)
            exec(compile(source, name, "exec"), scope)
    assert "Leaderboard(" in capsys.readouterr().out


def test_the_notebook_is_the_page_of_the_documentation() -> None:
    cells = json.loads((ROOT / "docs" / "notebook.ipynb").read_text("utf-8"))["cells"]
    code = ["".join(cell["source"]).strip() for cell in cells if cell["cell_type"] == "code"]
    assert code == python_blocks()


def test_the_page_of_claims_gives_the_verdicts_of_the_study() -> None:
    page = (ROOT / "docs" / "claims.md").read_text("utf-8").lower()
    folder = ROOT / "docs" / "results"
    verdicts = json.loads((folder / "micro-fair" / "verdicts.json").read_text("utf-8"))
    names = {"ln-tuning": "ln tuning", "full": "full fine-tuning"}
    for claim in verdicts["claims"]:
        words = [names.get(word, word) for word in claim["part"].split()]
        assert f"| {' '.join(words)} | {claim['outcome'].replace('_', ' ')} |" in page


def is_setting(section: str, key: str) -> bool:
    """Return whether a trial has a setting of that name: sections are called like rooms."""
    field = TrialConfig.model_fields.get(section)
    return field is not None and key in getattr(field.annotation, "model_fields", {})


@pytest.mark.parametrize("page", ["architecture.md", "how-a-trial-runs.md"])
def test_the_functions_that_the_pages_walk_through_exist(page: str) -> None:
    text = (ROOT / "docs" / page).read_text("utf-8")
    rooms = {folder.name for folder in (ROOT / "src" / "verirank").iterdir() if folder.is_dir()}
    named = [
        pair
        for pair in re.findall(r"`(\w+)\.(\w+)`", text)
        if pair[0] in rooms and pair[1] != "toml" and not is_setting(*pair)
    ]
    assert named
    for room, name in named:
        assert hasattr(import_module(f"verirank.{room}"), name), f"{room}.{name}"


def definitions() -> set[str]:
    """Return the functions and classes of the source, members as `Class.member`, and modules'."""
    names = set[str]()
    source = ROOT / "src" / "verirank"
    for file in source.rglob("*.py"):
        path = file.relative_to(source).with_suffix("").as_posix()
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names |= {node.name, f"{path}.{node.name}"}
            for member in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(member, ast.FunctionDef):
                    names.add(f"{node.name}.{member.name}")
    return names


@pytest.mark.parametrize("page", ["architecture.md", "how-a-trial-runs.md"])
def test_the_methods_and_modules_that_the_pages_name_exist(page: str) -> None:
    text = (ROOT / "docs" / page).read_text("utf-8")
    named = re.findall(r"`([A-Z]\w+\.\w+)(?:\(\))?`", text)
    named += re.findall(r"`(\w+/[\w/]+\.(?!py\b|md\b|json\b|toml\b)\w+)`", text)
    assert named
    known = definitions()
    assert not [name for name in named if name not in known]


def test_the_way_from_settings_to_a_row_names_functions_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    way = text.partition("## From a study")[2].partition("\n## ")[0]
    named = [name.rpartition(".")[2] for name in re.findall(r"`([\w.]+(?<!\.json))`", way)]
    assert len(named) > 20
    known = {name.rpartition(".")[2] for name in definitions()}
    assert not [name for name in named if name not in known]
