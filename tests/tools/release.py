# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prepares a release in the checkout: version, changelog, and the file to publish. Commits and publishes nothing.

Usage: python tests/tools/release.py VERSION
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from build import build_artifact, write_release_notes
from environments import CACHE, ROOT, make_environment

VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")
FRAGMENTS = ROOT / "changelogs" / "fragments"


def set_version(version: str) -> None:
    """Write the version into galaxy.yml."""
    file = ROOT / "galaxy.yml"
    text = re.sub(r"^version: .*$", f"version: {version}", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    file.write_text(text, encoding="utf-8")


def has_summary() -> bool:
    """Return whether a fragment has a summary of the release."""
    return any("release_summary:" in file.read_text(encoding="utf-8") for file in FRAGMENTS.glob("*.yml"))


def main() -> None:
    version = sys.argv[1] if len(sys.argv) == 2 else ""
    if not VERSION.fullmatch(version):
        sys.exit("Usage: make release VERSION=1.2.3")
    if not has_summary():
        sys.exit(f"Add changelogs/fragments/{version}.yml with a release_summary first.")
    programs = make_environment("release", "release")
    set_version(version)
    # antsibull-changelog requires the folders of a collection.
    write_release_notes(Path(CACHE, "collections/ansible_collections/cgr/pull_through"), programs)
    artifact = build_artifact(programs)
    print(
        f"Built {artifact}. Next: commit, tag the commit with {version}, and ansible-galaxy collection publish {artifact}"
    )


if __name__ == "__main__":
    main()
