# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""npm packages, one of them with a scope: documents and tarballs."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from .. import archives
from . import ORIGIN, File, PackageIndex

NAMES = ("lab-greeting", "@example/greeting", "ms")


def build_packages(root: str, versions: Sequence[str]) -> PackageIndex:
    files: PackageIndex = {}
    for name in NAMES:
        manifests: dict[str, Any] = {}
        for version in versions:
            path = f"/{root}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
            files[path] = File(_tarball(name, version))
            manifests[version] = {**_manifest(name, version), "dist": _dist(f"{ORIGIN}{path}", files[path].body)}
        document = {"name": name, "dist-tags": {"latest": versions[-1]}, "versions": manifests}
        files[f"/{root}/{name}"] = File(json.dumps(document).encode(), "application/json", stored=False)
    return files


def _manifest(name: str, version: str) -> dict[str, Any]:
    return {"name": name, "version": version, "description": "A greeting of the lab.", "main": "index.js"}


def _dist(url: str, tarball: bytes) -> dict[str, Any]:
    integrity = base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    return {"tarball": url, "shasum": hashlib.sha1(tarball).hexdigest(), "integrity": f"sha512-{integrity}"}


def _tarball(name: str, version: str) -> bytes:
    files = {
        "package/package.json": json.dumps(_manifest(name, version)).encode(),
        "package/index.js": f'module.exports = "{version}";\n'.encode(),
    }
    return archives.gzip(archives.tar(files))
