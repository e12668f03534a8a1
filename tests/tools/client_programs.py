# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs of tests/clients in .cache/clients, which Debian does not package: built with go, or from npm, each once."""

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
_YARN = "yarn@1.22.22"
_CONTAINERD = ROOT / "tests" / "clients" / "containerd"


def install_clients() -> None:
    """Install what is missing. Raises CalledProcessError if that fails, and FileNotFoundError without go or npm."""
    (FOLDER / "bin").mkdir(parents=True, exist_ok=True)
    for name, package in _GO_PROGRAMS.items():
        if not (FOLDER / "bin" / name).exists():
            _run("go", "install", package)
    if not (FOLDER / "bin" / "containerd-pull").exists():
        source = FOLDER / "containerd"
        shutil.copytree(_CONTAINERD, source, dirs_exist_ok=True)
        _run("go", "build", "-mod=mod", "-o", "../bin/containerd-pull", ".", cwd=source)
    if not (FOLDER / "bin" / "yarn").exists():
        _run("npm", "install", "--silent", "--prefix", str(FOLDER), _YARN)
        (FOLDER / "bin" / "yarn").symlink_to("../node_modules/.bin/yarn")


def _run(*command: str, cwd: Path = FOLDER) -> None:
    print(f"Running {' '.join(command)}, once. This can take minutes.", flush=True)
    # Modules stay below .cache, and `make clean` may delete them.
    environment = {"GOBIN": str(FOLDER / "bin"), "GOMODCACHE": str(FOLDER / "mod"), "GOFLAGS": "-modcacherw"}
    subprocess.run(command, cwd=cwd, env={**os.environ, **environment}, check=True)
