# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages in facts/: their rows are complete, and every reference to them leads somewhere."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.artifactory.fields import SCHEMAS
from lab.serve import PRODUCTS

LAB = Path(__file__).parents[1]
ROOT = LAB.parents[1]
FACTS = LAB / "facts"
PAGES = ("artifactory.md", "chainguard.md", "registry.md")
CERTAINTIES = {"documented", "observed", "inferred", "not established"}
NOT_SIMULATED = {"not simulated", "not simulated yet"}
TEXT = {".py", ".md", ".yml", ".yaml", ".j2", ".toml", ".sh", ".txt"}
REFERENCE = re.compile(r"\bfacts/(\w+\.md)(?:#([\w-]+))?")
NAMED_FACTS = re.compile(r"\(facts: ([^)]+)\)")
# The files of the simulated Artifactory that store settings, or do not read them.
STORING = {"access.py", "fields.py", "grantees.py", "repositories.py", "security.py", "store.py"}
WITHOUT_FACTS = {"artifactory_save_seconds"}  # makes tests slow on purpose, and simulates nothing
PAGE_LINK = re.compile(r"\]\((\w+\.md)(?:#([\w-]+))?\)")


def read_rows(page: str) -> list[list[str]]:
    """The cells of each row, without the header rows."""
    lines = (FACTS / page).read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in rows if row[0] != "Behavior" and set(row[0]) != {"-"}]


def read_anchors(page: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", (FACTS / page).read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def find_references() -> Iterator[tuple[Path, str, str]]:
    """File, page and anchor ("" without one) of each reference in the repository."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        for path in (Path(folder, name) for name in names):
            if path.suffix in TEXT and path != Path(__file__):
                text = path.read_text(encoding="utf-8", errors="replace")
                yield from ((path, page, anchor) for page, anchor in REFERENCE.findall(text))
    for page in (*PAGES, "README.md"):
        yield from ((FACTS / page, *link) for link in PAGE_LINK.findall((FACTS / page).read_text(encoding="utf-8")))


def test_references_exist() -> None:
    references = list(find_references())
    assert references
    for path, page, anchor in references:
        assert (FACTS / page).exists(), f"{path.relative_to(ROOT)} refers to {page}, which does not exist"
        assert not anchor or anchor in read_anchors(page), f"{path.relative_to(ROOT)} refers to {page}#{anchor}"


@pytest.mark.parametrize("page", PAGES)
def test_rows_are_complete(page: str) -> None:
    links = set(re.findall(r"^\[([\w.-]+)\]: https://\S+$", (FACTS / page).read_text(encoding="utf-8"), re.MULTILINE))
    used: set[str] = set()
    for row in read_rows(page):
        assert len(row) == 4, row
        sources = set(re.findall(r"\[([\w.-]+)\](?!\()", row[1]))
        assert sources <= links, f"no link for {sources - links}"
        assert sources or "](https://" in row[1], f"no source: {row[0]}"
        assert row[2] in CERTAINTIES, row
        used |= sources
    assert used == links, f"unused: {links - used}"


@pytest.mark.parametrize("page", PAGES)
def test_files_of_the_lab_exist(page: str) -> None:
    for row in read_rows(page):
        if row[3] not in NOT_SIMULATED:
            paths = [path.strip("` ") for path in row[3].split(",")]
            assert all((LAB / path).is_file() for path in paths), row


def read_sections(text: str) -> set[str]:
    """The sections of the pages that a text of the lab's README names."""
    return {name for names in NAMED_FACTS.findall(" ".join(text.split())) for name in names.split(", ")}


def test_the_readme_names_the_facts_of_each_assumption_and_setting() -> None:
    readme = (LAB / "README.md").read_text(encoding="utf-8")
    lists = re.findall(r"^### Assumptions\n(.+?)^### ", readme, re.MULTILINE | re.DOTALL)
    assumptions = [item for text in lists for item in re.split(r"^- ", text, flags=re.MULTILINE)[1:]]
    assert len(lists) == len(PRODUCTS) and len(assumptions) > 20
    for assumption in assumptions:
        assert read_sections(assumption), f"no facts: {assumption}"
    rows = dict(re.findall(r"^\| `(\w+)` \|(.+)\|$", readme, re.MULTILINE))
    for setting in (name for product in PRODUCTS.values() for name in product.DEFAULTS):
        assert read_sections(rows[setting]) or setting in WITHOUT_FACTS, f"no facts: {setting}"
    anchors = {anchor for page in PAGES for anchor in read_anchors(page)}
    assert {name.lower().replace(" ", "-") for name in read_sections(readme)} <= anchors


def test_the_readme_names_the_settings_that_have_an_effect() -> None:
    files = [path for path in (LAB / "artifactory").glob("*.py") if path.name not in STORING]
    code = "".join(path.read_text(encoding="utf-8") for path in files)
    names = {name for rclass in ("remote", "virtual") for name in SCHEMAS[rclass].initial("docker")}
    readme = (LAB / "README.md").read_text(encoding="utf-8")
    (listed,) = re.findall(
        r"^- Settings: all are stored without an effect but (.+?)\.$", readme, re.MULTILINE | re.DOTALL
    )
    assert set(re.findall(r"`(\w+)`", listed)) == {name for name in names if f'"{name}"' in code}
