# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Maven artifact, com.example:lab-greeting: metadata, POM and JAR, with their checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from .. import archives
from . import File, Shelf

FOLDER = "com/example/lab-greeting"
_ALGORITHMS = ("md5", "sha1", "sha256")


def shelf(root: str, versions: Sequence[str]) -> Shelf:
    files = {"maven-metadata.xml": File(_metadata(versions), "application/xml", stored=False)}
    for version in versions:
        name = f"{version}/lab-greeting-{version}"
        files[f"{name}.pom"] = File(_pom(version), "application/xml")
        files[f"{name}.jar"] = File(_jar(root, version), "application/java-archive")
    return {
        f"/{root}/{FOLDER}/{path}": found
        for name, file in files.items()
        for path, found in {name: file, **_checksums(name, file)}.items()
    }


def _checksums(name: str, file: File) -> Shelf:
    return {
        f"{name}.{algorithm}": File(hashlib.new(algorithm, file.body).hexdigest().encode(), "text/plain", stored=False)
        for algorithm in _ALGORITHMS
    }


def _metadata(versions: Sequence[str]) -> bytes:
    rows = "".join(f"<version>{version}</version>" for version in versions)
    return (
        "<metadata><groupId>com.example</groupId><artifactId>lab-greeting</artifactId><versioning>"
        f"<latest>{versions[-1]}</latest><release>{versions[-1]}</release><versions>{rows}</versions>"
        "<lastUpdated>20260101000000</lastUpdated></versioning></metadata>\n"
    ).encode()


def _pom(version: str) -> bytes:
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"<groupId>com.example</groupId><artifactId>lab-greeting</artifactId><version>{version}</version></project>\n"
    ).encode()


def _jar(root: str, version: str) -> bytes:
    """What differs between the repositories is the build, not the version."""
    return archives.pack_zip(
        {
            "META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\n",
            "com/example/greeting.properties": f"version={version}\nbuilt-for={root}\n".encode(),
        }
    )
