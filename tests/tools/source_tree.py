# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fresh copy of the sources at the only kind of path that ansible-test and the build accept.

python tests/tools/source_tree.py         makes it and prints where it lies
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from environments import CACHE, ROOT

TREE = CACHE / "tree" / "ansible_collections" / "cgr" / "pull_through"


def source_files() -> list[Path]:
    """Return what git tracks or would track, relative to the root, without what was deleted."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = sorted(set(listing.split("\0")) - {""})
    return [Path(name) for name in names if (ROOT / name).is_file()]


def copy_tree() -> Path:
    """Copy the sources to TREE and return it."""
    shutil.rmtree(TREE, ignore_errors=True)
    for name in source_files():
        (TREE / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, TREE / name)
    # ansible-test asks git which files there are, and must not ask the repository above, which ignores the copy.
    subprocess.run(["git", "init", "--quiet"], cwd=TREE, check=True)
    return TREE


if __name__ == "__main__":
    print(copy_tree())
