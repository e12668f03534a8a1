# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs of tests/clients in .cache/clients, which Debian does not package: built with go, or from npm, each once.

Only the programs are kept: what go downloads and builds for them takes more than a gigabyte.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from environments import CACHE, ROOT

FOLDER = CACHE / "clients"
_GO_PROGRAMS = {
    "crane": "github.com/google/go-containerregistry/cmd/crane@v0.22.1",
    "helm": "helm.sh/helm/v3/cmd/helm@v3.22.0",
    "oras": "oras.land/oras/cmd/oras@v1.3.6",
    "regctl": "github.com/regclient/regclient/cmd/regctl@v0.11.7",
}
# The clients of images and charts that most people use. To build them takes three minutes on one processor.
COMMON = ("crane", "oras", "helm")
_YARN = "yarn@1.22.22"
_CONTAINERD = ROOT / "tests" / "clients" / "containerd"


def install_common_clients() -> None:
    """Install crane, oras and helm, if they are missing. Raises the exceptions of install_clients()."""
    _install_go_programs(COMMON)


def install_clients() -> None:
    """Install what is missing. Raises CalledProcessError if that fails, and FileNotFoundError without go or npm."""
    _install_go_programs(tuple(_GO_PROGRAMS))
    if not (FOLDER / "bin" / "containerd-pull").exists():
        source = FOLDER / "containerd"
        shutil.copytree(_CONTAINERD, source, dirs_exist_ok=True)
        _run("go", "build", "-mod=mod", "-o", "../bin/containerd-pull", ".", cwd=source)
        _remove_go_caches()
    if not (FOLDER / "bin" / "yarn").exists():
        _run("npm", "install", "--silent", "--prefix", str(FOLDER), _YARN)
        (FOLDER / "bin" / "yarn").symlink_to("../node_modules/.bin/yarn")


def _install_go_programs(names: tuple[str, ...]) -> None:
    (FOLDER / "bin").mkdir(parents=True, exist_ok=True)
    missing = [name for name in names if not (FOLDER / "bin" / name).exists()]
    for name in missing:
        _run("go", "install", _GO_PROGRAMS[name])
    if missing:
        _remove_go_caches()


def _remove_go_caches() -> None:
    for name in ("mod", "build"):
        shutil.rmtree(FOLDER / name, ignore_errors=True)


def _run(*command: str, cwd: Path = FOLDER) -> None:
    print(f"Running {' '.join(command)}, once. This can take minutes.", flush=True)
    # All is below .cache, and `make clean` may delete it. Without debug information, programs are linked faster.
    environment = {
        "GOBIN": str(FOLDER / "bin"),
        "GOMODCACHE": str(FOLDER / "mod"),
        "GOCACHE": str(FOLDER / "build"),
        "GOFLAGS": "-modcacherw -ldflags=-w",
    }
    subprocess.run(command, cwd=cwd, env={**os.environ, **environment}, check=True)
