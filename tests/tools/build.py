# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the file that ansible-galaxy collection install takes, with release notes of the version in galaxy.yml.

Usage: python tests/tools/build.py
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import yaml

from environments import CACHE, make_environment
from source_tree import copy_tree

FOLDER = CACHE / "build"


def write_release_notes(tree: Path, programs: Path) -> None:
    """Release the version of galaxy.yml in a folder ansible_collections/cgr/pull_through, unless its changelog has it."""
    version = yaml.safe_load((tree / "galaxy.yml").read_text(encoding="utf-8"))["version"]
    changelog = yaml.safe_load((tree / "changelogs/changelog.yaml").read_text(encoding="utf-8"))
    if version not in changelog["releases"]:
        environment = {**os.environ, "PATH": os.pathsep.join([str(programs), *os.get_exec_path()])}
        subprocess.run([programs / "antsibull-changelog", "release"], cwd=tree, env=environment, check=True)


def build_artifact(programs: Path) -> Path:
    """Return the file, which is built of a copy of the sources. programs: the folder of ansible-galaxy."""
    tree = copy_tree("build")
    write_release_notes(tree, programs)
    return package(tree, programs, FOLDER)


def package(tree: Path, programs: Path, folder: Path) -> Path:
    """Return the file in a folder, built of the sources in tree as they are."""
    command: list[str | Path] = [programs / "ansible-galaxy", "collection", "build", "--force", "--output-path", folder]
    output = subprocess.run(command, cwd=tree, check=True, capture_output=True, text=True).stdout
    return Path(output.split()[-1])


if __name__ == "__main__":
    print(f"Built {build_artifact(make_environment('release', 'release'))}")
