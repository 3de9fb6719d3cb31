"""docs/dependencies.md, pyproject.toml and the imports of the source agree."""

from __future__ import annotations

import dependencies as deps
import pytest

PAGE = (deps.ROOT / "docs" / "dependencies.md").read_text("utf-8")
GROUPS = deps.requirements()
REQUIRED = {deps.MODULES.get(r.name, r.name) for r in GROUPS["required"]}
OPTIONAL = {r.name for group, lines in GROUPS.items() if group != "required" for r in lines}


@pytest.mark.parametrize("group", GROUPS)
def test_the_page_lists_each_package_with_its_purpose_licence_and_maintainer(group: str) -> None:
    title = "Required" if group == "required" else f"Extra `{group}`"
    table = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")][2:]
    packages = [f"{r.name} {r.specifier}".strip() for r in GROUPS[group]]
    assert [row[0].strip() for row in rows] == packages
    for row in rows:
        _, what, _, licence, who, brings = (cell.strip() for cell in row)
        assert what and licence and who and brings


def test_every_package_that_the_source_imports_is_declared() -> None:
    assert deps.rooms_of().keys() <= REQUIRED | OPTIONAL


def test_every_required_package_is_imported() -> None:
    assert deps.rooms_of().keys() >= REQUIRED


def test_no_purpose_is_left_of_a_package_that_is_gone() -> None:
    declared = {requirement.name for lines in GROUPS.values() for requirement in lines}
    assert declared == deps.PURPOSES.keys()


def test_the_sbom_names_version_and_licence_of_everything_that_is_installed() -> None:
    bom = deps.sbom()
    components = {component["name"]: component for component in bom["components"]}
    assert components.keys() >= {deps.normal(r.name) for r in GROUPS["required"]}
    assert all(part["version"] and part["licenses"][0] for part in components.values())
    unknown = [n for n, c in components.items() if c["licenses"][0]["license"]["name"] == "unknown"]
    assert not unknown
    references = {part["bom-ref"] for part in components.values()}
    assert {edge["ref"] for edge in bom["dependencies"][1:]} >= references
