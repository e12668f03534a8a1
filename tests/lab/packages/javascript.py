# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""npm packages, one of them with a scope: documents and tarballs. Those of UPSTREAM are not built by Chainguard."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from .. import archives
from . import ORIGIN, File, PackageIndex, Versions, mark_build, newest

NAMES = ("lab-greeting", "@example/greeting", "ms")
OTHERS = {"picocolors": ("1.1.0", "1.1.1")}
UPSTREAM = ("picocolors",)


def build_packages(root: str, packages: Mapping[str, Versions]) -> PackageIndex:
    files: PackageIndex = {}
    for name, versions in packages.items():
        manifests: dict[str, Any] = {}
        location = f"{root}-upstream" if name in UPSTREAM else root
        for version, number in versions.items():
            path = f"/{location}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
            files[path] = File(_tarball(name, version, number))
            manifests[version] = {**_manifest(name, version), "dist": _dist(f"{ORIGIN}{path}", files[path].body)}
        document = {"name": name, "dist-tags": {"latest": newest(versions)}, "versions": manifests}
        files[f"/{root}/{name}"] = File(json.dumps(document).encode(), "application/json", stored=False)
    return files


def _manifest(name: str, version: str) -> dict[str, Any]:
    return {"name": name, "version": version, "description": "A greeting of the lab.", "main": "index.js"}


def _dist(url: str, tarball: bytes) -> dict[str, Any]:
    integrity = base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    return {"tarball": url, "shasum": hashlib.sha1(tarball).hexdigest(), "integrity": f"sha512-{integrity}"}


def _tarball(name: str, version: str, number: int) -> bytes:
    files = {
        "package/package.json": json.dumps(_manifest(name, version)).encode(),
        "package/index.js": f'module.exports = "{version}";\n'.encode(),
    }
    if number:
        files["package/build.txt"] = mark_build(number).encode()
    return archives.gzip(archives.tar(files))
