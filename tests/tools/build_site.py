# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the documentation site in .cache/site/html: the pages of docs/ and the generated reference. Warnings are errors.

Usage: python tests/tools/build_site.py
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from check_links import broken_links
from environments import CACHE, ROOT, make_environment, make_test_environment
from site_reference import write_reference

SOURCE = CACHE / "site" / "source"
HTML = CACHE / "site" / "html"
# Pages that are not in docs/, by their path in the repository.
OTHER_PAGES = {
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "extensions/awx/README.md": "awx.md",
    "extensions/eda/README.md": "events.md",
    "extensions/molecule/README.md": "molecule.md",
    "roles/pull_through/README.md": "role.md",
}
# The navigation: a title and its pages, with another name for some of them.
NAVIGATION = {
    "Start": ["quick-start", "from-the-ui", "scheduling", "In AWX <awx>", "Events <events>"],
    "Understand": ["rotation", "permissions", "security-model", "Secrets <security>", "networks", "sizing"],
    "Operate": ["troubleshooting", "diagnosis-codes", "report", "migration", "molecule", "faq"],
    "Decide": ["comparison", "support-matrix"],
    "Reference": ["The role <role>", "All options <reference/index>", "architecture", "Changelog <changelog>"],
}
_LINK = re.compile(r"(?<=\]\()(?!https?://|#|mailto:)([^)#\s]+)")


def repository_url() -> str:
    """Return the URL of the files of the repository."""
    return f"{yaml.safe_load((ROOT / 'galaxy.yml').read_text(encoding='utf-8'))['repository']}/blob/main"


def list_pages() -> dict[str, str]:
    """Return the Markdown files of the site: their path in the repository, and on the site."""
    return {**{f"docs/{file.name}": file.name for file in sorted(ROOT.glob("docs/*.md"))}, **OTHER_PAGES}


def write_page(path: str, pages: dict[str, str]) -> None:
    """Copy a page. Links to files that are no pages lead to the repository."""

    def translate(match: re.Match[str]) -> str:
        target = os.path.normpath(Path(path).parent / match[1])
        return pages.get(target) or (match[1] if target.startswith("docs/images/") else f"{repository_url()}/{target}")

    text = _LINK.sub(translate, (ROOT / path).read_text(encoding="utf-8"))
    if path == "docs/index.md":
        text += "".join(map(format_navigation, NAVIGATION))
    (SOURCE / pages[path]).write_text(text, encoding="utf-8")


def format_navigation(title: str) -> str:
    """Return the table of contents of a part of the site, which only the sidebar shows."""
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {title}", "", *NAVIGATION[title], "```", ""])


def write_sources(programs: Path) -> None:
    """Write the pages, and the reference that antsibull-docs generates."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(ROOT / "tests" / "site", SOURCE)
    shutil.copytree(ROOT / "docs" / "images", SOURCE / "images")
    pages = list_pages()
    for path in pages:
        write_page(path, pages)
    reference = SOURCE / "reference"
    reference.mkdir(mode=0o755)
    write_reference(reference, programs)


def main() -> int:
    make_test_environment()
    programs = make_environment("docs", "docs")
    write_sources(programs)
    shutil.rmtree(HTML, ignore_errors=True)
    sphinx: list[str | Path] = [
        programs / "python",
        "-m",
        "sphinx",
        "--builder",
        "html",
        "--jobs",
        "auto",
        "--fail-on-warning",
        "--keep-going",
        "--quiet",
    ]
    if code := subprocess.run([*sphinx, SOURCE, HTML], check=False).returncode:
        return code
    broken = broken_links(HTML)
    print("\n".join(broken) or f"Built {HTML.relative_to(ROOT)}/index.html")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
