# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The virtual environments under .cache/: each is created once, and again when its recipe changes.

Usage: python tests/tools/environments.py, which creates .cache/venv, the one for the demo and the tests.
"""

from __future__ import annotations

import fcntl
import functools
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
REQUIREMENTS = ROOT / "tests" / "requirements"


def make_environment(name: str, requirements: str, python: str = sys.executable, *packages: str) -> Path:
    """Return the bin folder of .cache/NAME, with the packages of tests/requirements/REQUIREMENTS.txt and those named."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two stages can need it at the same time
        return _make_environment(CACHE / name, requirements, python, *packages)


def _make_environment(home: Path, requirements: str, python: str, *packages: str) -> Path:
    stamp = home / "recipe.txt"
    requirements_text = _read_requirements(REQUIREMENTS / f"{requirements}.txt")
    recipe = "\n".join([str(ROOT), os.path.realpath(python), *packages, requirements_text])
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != recipe:
        if not _can_create_environments(Path(python)):
            sys.exit(f"{python} cannot create virtual environments. On Debian and Ubuntu: apt install python3-venv")
        print(f"Installing Python packages in .cache/{home.name}, once. This takes about a minute.", flush=True)
        subprocess.run([python, "-m", "venv", "--clear", str(home)], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        install = [*pip, *packages, "-r", str(REQUIREMENTS / f"{requirements}.txt")]
        if subprocess.run(install, check=False).returncode != 0:
            sys.exit(f"pip could not install the packages of .cache/{home.name}. Its message is above.")
        stamp.write_text(recipe, encoding="utf-8")
    return home / "bin"


def make_test_environment() -> Path:
    """Return the bin folder of .cache/venv, in which Ansible finds the collection and `python -m lab` works."""
    programs = make_environment("venv", "test")
    collections = CACHE / "collections"
    link = collections / "ansible_collections" / "cgr" / "pull_through"
    if not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(ROOT)
    site_packages = sysconfig.get_path("purelib", "venv", {"base": str(CACHE / "venv")})
    Path(site_packages, "pull_through.pth").write_text(f"{ROOT / 'tests'}\n{collections}\n", encoding="utf-8")
    return programs


@functools.cache
def find_pythons() -> dict[str, Path]:
    """Return {"3.12": its program, ...}: the Pythons of PATH and of pyenv that can create a virtual environment."""
    folders = [*map(Path, path_without_shims()), *sorted(Path.home().glob(".pyenv/versions/*/bin"))]
    pythons: dict[str, Path] = {}
    for version in ("3.10", "3.11", "3.12", "3.13", "3.14"):
        programs = [folder / f"python{version}" for folder in folders]
        if program := next(filter(_can_create_environments, programs), None):
            pythons[version] = program
    return pythons


def path_without_shims() -> list[str]:
    """Return the folders of PATH without pyenv's shims, which exist also for versions that are not enabled."""
    return [folder for folder in os.get_exec_path() if Path(folder).name != "shims"]


def _can_create_environments(python: Path) -> bool:
    if not python.exists():
        return False
    return subprocess.run([python, "-c", "import ensurepip"], stderr=subprocess.DEVNULL, check=False).returncode == 0


def _read_requirements(file: Path) -> str:
    """Return the lines of a requirements file and of those that it includes, without comments."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    included = [_read_requirements(file.parent / line.split()[1]) for line in lines if line.startswith("-r ")]
    return "\n".join([*lines, *included])


if __name__ == "__main__":
    make_test_environment()
