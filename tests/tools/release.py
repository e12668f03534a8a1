# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes a release: version, changelog, commit, tag, and the file to publish. Publishes nothing.

Usage: python tests/tools/release.py VERSION
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from build import FOLDER, package, write_release_notes
from environments import CACHE, make_environment

VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")


def find_mistake(tree: Path, version: str) -> str:
    """Return why the sources in a folder cannot be released; empty if they can."""
    fragments = (tree / "changelogs/fragments").glob("*.yml")
    if not VERSION.fullmatch(version):
        return "Usage: make release VERSION=1.2.3"
    if _git(tree, "status", "--porcelain"):
        return "Commit or remove the changed files first: git status"
    if _git(tree, "tag", "--list", version):
        return f"The tag {version} exists already. Choose another version."
    if not any("release_summary:" in file.read_text(encoding="utf-8") for file in fragments):
        return f"Add changelogs/fragments/{version}.yml with a release_summary first."
    return ""


def make_release(tree: Path, version: str, programs: Path, folder: Path) -> Path:
    """Return the file to publish, after a commit and its tag in tree, a folder ansible_collections/cgr/pull_through."""
    galaxy = tree / "galaxy.yml"
    text = re.sub(r"^version: .*$", f"version: {version}", galaxy.read_text(encoding="utf-8"), flags=re.MULTILINE)
    galaxy.write_text(text, encoding="utf-8")
    write_release_notes(tree, programs)
    artifact = package(tree, programs, folder)
    _git(tree, "add", "--all")
    _git(tree, "commit", "--quiet", "--message", f"Release {version}")
    _git(tree, "tag", "--annotate", version, "--message", f"Release {version}")
    return artifact


def _git(tree: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=tree, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    version = sys.argv[1] if len(sys.argv) == 2 else ""
    # antsibull-changelog requires the folders of a collection.
    tree = Path(CACHE, "collections/ansible_collections/cgr/pull_through")
    if mistake := find_mistake(tree, version):
        sys.exit(mistake)
    artifact = make_release(tree, version, make_environment("release", "release"), FOLDER)
    print(f"Built {artifact}. Next: git push --follow-tags, and ansible-galaxy collection publish {artifact}")


if __name__ == "__main__":
    main()
