# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies of the sources below a folder ansible_collections/cgr/pull_through, as ansible-test requires.

Usage: python tests/tools/source_tree.py NAME, which creates the copy of that name and prints its path.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from environments import CACHE, ROOT

# What each program is for, and the package of Debian and Ubuntu that has it.
_PROGRAMS = {"git": ("lists the source files", "git"), "ssh-keygen": ("ansible-test needs", "openssh-client")}


def require_program(name: str) -> None:
    """End the program with one line if another one is not installed."""
    purpose, package = _PROGRAMS[name]
    if shutil.which(name) is None:
        sys.exit(f"{name} is not installed, which {purpose}. On Debian and Ubuntu: apt install {package}")


def source_files() -> list[Path]:
    """Return the files that git tracks or would track, relative to the root, without deleted ones."""
    require_program("git")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = sorted(set(listing.split("\0")) - {""})
    return [Path(name) for name in names if (ROOT / name).is_file()]


def copy_tree(name: str) -> Path:
    """Copy the sources below .cache/tree/NAME; return the folder of the collection there."""
    tree = CACHE / "tree" / name / "ansible_collections" / "cgr" / "pull_through"
    shutil.rmtree(tree, ignore_errors=True)
    for file in source_files():
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, tree / file)
    # ansible-test lists the files with git. The repository above ignores the copy.
    subprocess.run(["git", "init", "--quiet"], cwd=tree, check=True)
    return tree


if __name__ == "__main__":
    print(copy_tree(sys.argv[1]))
