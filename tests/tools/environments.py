# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The virtual environments under .cache/: each is made once, and again when its recipe changes.

Usage: python tests/tools/environments.py, which makes .cache/venv, the one for the demo and the tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
REQUIREMENTS = ROOT / "tests" / "requirements"


def make_environment(name: str, requirements: str, python: str = sys.executable) -> Path:
    """Return the bin folder of .cache/NAME, which holds what tests/requirements/REQUIREMENTS.txt asks for."""
    home = CACHE / name
    stamp = home / "made-from.txt"
    recipe = f"{ROOT}\n{os.path.realpath(python)}\n{_read_requirements(REQUIREMENTS / f'{requirements}.txt')}"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != recipe:
        print(f"Making .cache/{name}: Python packages are being installed, once, for about a minute.", flush=True)
        subprocess.run([python, "-m", "venv", "--clear", str(home)], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*pip, "-r", str(REQUIREMENTS / f"{requirements}.txt")], check=True)
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


def find_pythons() -> dict[str, Path]:
    """Return {"3.12": its program, ...}: the Pythons of PATH and of pyenv that can make a virtual environment."""
    folders = [*map(Path, path_without_shims()), *sorted(Path.home().glob(".pyenv/versions/*/bin"))]
    found: dict[str, Path] = {}
    for version in ("3.10", "3.11", "3.12", "3.13"):
        programs = [folder / f"python{version}" for folder in folders]
        if program := next(filter(_can_make_environments, programs), None):
            found[version] = program
    return found


def path_without_shims() -> list[str]:
    """Return the folders of PATH but pyenv's shims, which exist for versions that they then refuse to run."""
    return [folder for folder in os.get_exec_path() if Path(folder).name != "shims"]


def _can_make_environments(python: Path) -> bool:
    if not python.exists():
        return False
    return subprocess.run([python, "-c", "import ensurepip"], stderr=subprocess.DEVNULL, check=False).returncode == 0


def _read_requirements(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    included = [line.split()[1] for line in text.splitlines() if line.startswith("-r ")]
    return text + "".join(_read_requirements(file.parent / name) for name in included)


if __name__ == "__main__":
    make_test_environment()
