# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fails when a source file does not name its license in its first lines."""

from __future__ import annotations

import sys
from pathlib import Path

from environments import ROOT
from source_tree import source_files

LINE = "SPDX-License-Identifier: GPL-3.0-or-later"
HEAD = 6
# These have no room for a comment, are prose under the LICENSE beside them, or are written by antsibull-changelog.
WITHOUT = {".json", ".md", ".png"}
GENERATED = {Path("changelogs/changelog.yaml")}


def names_its_license(file: Path) -> bool:
    text = (ROOT / file).read_text(encoding="utf-8", errors="replace")
    # ansible-test wants an empty __init__.py to stay empty.
    return not text or any(LINE in line for line in text.splitlines()[:HEAD])


def main() -> int:
    files = [
        file for file in source_files() if file.suffix not in WITHOUT and file not in {Path("LICENSE"), *GENERATED}
    ]
    silent = [file for file in files if not names_its_license(file)]
    for file in silent:
        print(f"{file}: no line '{LINE}' among the first {HEAD}")
    print(f"{len(files)} files checked, {len(silent)} without a license")
    return 1 if silent or not files else 0


if __name__ == "__main__":
    sys.exit(main())
