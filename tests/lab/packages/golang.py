# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Go modules in the layout of a module proxy."""

from __future__ import annotations

import json
from collections.abc import Mapping

from .. import archives, images
from . import File, PackageIndex, Versions, mark_build

NAMES = ("example.com/lab/greeting", "github.com/google/uuid")
OTHERS = {"rsc.io/quote": ("1.5.1", "1.5.2")}


def build_packages(root: str, packages: Mapping[str, Versions]) -> PackageIndex:
    return {
        f"/{root}/{module}/{path}": file
        for module, versions in packages.items()
        for path, file in _files(module, versions).items()
    }


def _files(module: str, versions: Versions) -> PackageIndex:
    """The files of one module; only its source is in the object store."""
    about = f"module {module}\n\ngo 1.16\n".encode()
    files = {"@v/list": File("".join(f"v{version}\n" for version in versions).encode(), "text/plain", stored=False)}
    for version, number in versions.items():
        info = json.dumps({"Version": f"v{version}", "Time": images.CREATED}).encode()
        files[f"@v/v{version}.info"] = files["@latest"] = File(info, "application/json", stored=False)
        files[f"@v/v{version}.mod"] = File(about, "text/plain", stored=False)
        files[f"@v/v{version}.zip"] = File(_source(module, version, number, about), "application/zip")
    return files


def _source(module: str, version: str, number: int, about: bytes) -> bytes:
    source = f'// Package greeting is of the lab.\npackage greeting\n\nconst Version = "{version}"\n'
    if number:
        source += f"\n// {mark_build(number)}"
    files = {"go.mod": about, "greeting.go": source.encode()}
    return archives.pack_zip({f"{module}@v{version}/{path}": data for path, data in files.items()})
