# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Generates the reference of the documentation site with antsibull-docs, and arranges it for readers."""

from __future__ import annotations

import os
import re
import subprocess
import typing as t
from pathlib import Path

from environments import CACHE

COLLECTION = "cgr.pull_through"
_CONTENTS = re.compile(r"^\.\. contents::\n(   .*\n)*", re.MULTILINE)
_TITLE = re.compile(rf"^{re.escape(COLLECTION)}\.(\w+) (module|filter|role) -- (.+)$", re.MULTILINE)
_INDEX = f"""\
.. _plugins_in_{COLLECTION}:

All options
===========

The options and the results of the role and the modules, as ``ansible-doc`` shows them too. For an explanation of the role with examples,
see :doc:`../role`.
"""
_FILTERS = """\
Filters of the role
===================

The role uses these filters. Their options can change in each release, so do not use them in playbooks of your own.
"""


def write_reference(reference: Path, programs: Path) -> None:
    """Write the pages into an empty folder. programs: the folder of antsibull-docs."""
    options = ["--use-current", "--squash-hierarchy", "--fail-on-error", "--no-add-antsibull-docs-version"]
    subprocess.run(
        [programs / "antsibull-docs", "collection", *options, "--dest-dir", reference, COLLECTION],
        env={
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(CACHE / "collections"),
        },
        check=True,
    )
    # No plugin of the collection declares environment variables in the form that this page lists.
    (reference / "environment_variables.rst").unlink()
    _write_index(reference)
    for page in reference.glob("*.rst"):
        # The theme has a table of contents beside each page, and each page says how to use its plugin in a playbook.
        text = _CONTENTS.sub("", page.read_text(encoding="utf-8"))
        page.write_text(_TITLE.sub(r"\1 \2 -- \3", text), encoding="utf-8")


def _write_index(reference: Path) -> None:
    """Replace the generated index, whose entries in the sidebar are whole sentences, and which has the filters before the role."""
    titles = {kind: list(_read_titles(reference, kind)) for kind in ("role", "module", "filter")}
    sections = [("Role", titles["role"]), ("Modules", titles["module"])]
    text = _INDEX + "".join(f"\n{name}\n{'-' * len(name)}\n\n{_format_list(pages)}" for name, pages in sections)
    pages = [page for _name, section in sections for page in section]
    text += _format_toctree([*pages, ("Filters of the role", "filters", "")])
    (reference / "index.rst").write_text(text, encoding="utf-8")
    text = f"{_FILTERS}\n{_format_list(titles['filter'])}{_format_toctree(titles['filter'])}"
    (reference / "filters.rst").write_text(text, encoding="utf-8")


def _read_titles(reference: Path, kind: str) -> t.Iterator[tuple[str, str, str]]:
    """Yield the name, the page, and the description of each plugin of a kind."""
    for page in sorted(reference.glob(f"*_{kind}.rst")):
        if match := _TITLE.search(page.read_text(encoding="utf-8")):
            yield match[1], page.stem, match[3]


def _format_list(pages: list[tuple[str, str, str]]) -> str:
    return "".join(f"* :doc:`{name} <{page}>`: {description}\n" for name, page, description in pages)


def _format_toctree(pages: list[tuple[str, str, str]]) -> str:
    """Return the entries of the sidebar."""
    return "\n.. toctree::\n   :hidden:\n\n" + "".join(f"   {name} <{page}>\n" for name, page, _description in pages)
