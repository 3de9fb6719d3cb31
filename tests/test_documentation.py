"""What the documents say can be done can be done."""

from __future__ import annotations

import csv
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest
from scaling import head, page

from verirank.cli import _root
from verirank.study import make_study

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
    with click.Context(_root) as root:
        command = _root.get_command(root, arguments[0])
        assert command is not None
        rest = arguments[1:]
        while isinstance(command, click.Group):
            command, rest = command.commands[rest[0]], rest[1:]
        command.make_context(arguments[0], rest)


def studies() -> list[str]:
    text = (ROOT / "docs" / "studies.md").read_text("utf-8")
    return re.findall(r"```toml\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("study", studies(), ids=lambda text: tomllib.loads(text)["name"])
def test_the_studies_in_the_documents_are_studies(
    study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f'{{"id": "{n}", "problem": "{n}+1=", "answer": "{n + 1}"}}\n' for n in range(100)]
    (tmp_path / "problems.jsonl").write_text("".join(lines), "utf-8")
    monkeypatch.chdir(tmp_path)
    assert make_study(tomllib.loads(study)).arms()


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
