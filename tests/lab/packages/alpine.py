# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""APK packages and the index of each architecture, without signatures."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from hashlib import sha1, sha256

from .. import archives
from . import File, PackageIndex, Versions, mark_build

ARCHITECTURES = ("x86_64", "aarch64")
# The packages of each repository.
NAMES = {
    "apk": ("lab-private",),
    "chainguard": ("lab-greeting", "ca-certificates-bundle"),
    "extra-packages": ("lab-extra",),
}


def build_packages(root: str, packages: Mapping[str, Versions]) -> PackageIndex:
    files: PackageIndex = {}
    for architecture in ARCHITECTURES:
        entries = []
        for name, versions in packages.items():
            for version, number in versions.items():
                body, entry = _package(name, f"{version}-r0", architecture, number)
                files[f"/{root}/{architecture}/{name}-{version}-r0.apk"] = File(body)
                entries.append(entry)
        index = {"DESCRIPTION": root.encode(), "APKINDEX": "\n".join(entries).encode()}
        packed = archives.gzip(archives.tar(index))
        files[f"/{root}/{architecture}/APKINDEX.tar.gz"] = File(packed, "application/gzip", stored=False)
    return files


def _package(name: str, version: str, architecture: str, number: int) -> tuple[bytes, str]:
    """An .apk file, which consists of two gzip members, and its entry in the index."""
    content = f"{name} {version}\n{mark_build(number)}".encode()
    data = archives.gzip(archives.tar({f"usr/share/{name}/version": content}))
    metadata = {
        "pkgname": name,
        "pkgver": version,
        "pkgdesc": "A greeting of the lab.",
        "url": "https://example.com/",
        "arch": architecture,
        "size": len(content),
        "license": "GPL-3.0-or-later",
        "datahash": sha256(data).hexdigest(),
    }
    description = "".join(f"{key} = {value}\n" for key, value in metadata.items())
    control = archives.gzip(archives.tar({".PKGINFO": description.encode()}, end=False))
    body = control + data
    checksum = base64.b64encode(sha1(control).digest()).decode()
    entry = (
        f"C:Q1{checksum}\nP:{name}\nV:{version}\nA:{architecture}\nS:{len(body)}\nI:{len(content)}\n"
        f"T:{metadata['pkgdesc']}\nU:{metadata['url']}\nL:{metadata['license']}\no:{name}\n"
    )
    return body, entry
