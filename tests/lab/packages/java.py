# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maven artifacts: metadata, POM and JAR, with their checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from .. import archives
from . import File, PackageIndex, Versions, mark_build, newest

NAMES = ("com.example:lab-greeting",)
# Additional artifacts of a repository with their versions.
OTHERS: dict[str, dict[str, tuple[str, ...]]] = {
    "java": {"org.slf4j:slf4j-api": ("2.0.16", "2.0.17"), "junit:junit": ("4.13.1", "4.13.2")},
    "java-remediated": {"org.springframework.boot:spring-boot": ("3.2.11-0.cgr.1", "3.2.12-0.cgr.1")},
}
_ALGORITHMS = ("md5", "sha1", "sha256")


def build_packages(root: str, packages: Mapping[str, Versions]) -> PackageIndex:
    return {
        f"/{root}/{package.replace('.', '/').replace(':', '/')}/{path}": content
        for package, versions in packages.items()
        for name, file in _files(root, package, versions).items()
        for path, content in {name: file, **_checksums(name, file)}.items()
    }


def _files(root: str, package: str, versions: Versions) -> PackageIndex:
    group, _colon, artifact = package.partition(":")
    files = {"maven-metadata.xml": File(_metadata(group, artifact, versions), "application/xml", stored=False)}
    for version, number in versions.items():
        name = f"{version}/{artifact}-{version}"
        files[f"{name}.pom"] = File(_pom(group, artifact, version), "application/xml")
        files[f"{name}.jar"] = File(_jar(root, version, number), "application/java-archive")
    return files


def _checksums(name: str, file: File) -> PackageIndex:
    return {
        f"{name}.{algorithm}": File(hashlib.new(algorithm, file.body).hexdigest().encode(), "text/plain", stored=False)
        for algorithm in _ALGORITHMS
    }


def _metadata(group: str, artifact: str, versions: Versions) -> bytes:
    rows = "".join(f"<version>{version}</version>" for version in versions)
    return (
        f"<metadata><groupId>{group}</groupId><artifactId>{artifact}</artifactId><versioning>"
        f"<latest>{newest(versions)}</latest><release>{newest(versions)}</release><versions>{rows}</versions>"
        "<lastUpdated>20260101000000</lastUpdated></versioning></metadata>\n"
    ).encode()


def _pom(group: str, artifact: str, version: str) -> bytes:
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"<groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></project>\n"
    ).encode()


def _jar(root: str, version: str, number: int) -> bytes:
    """A JAR whose content differs by repository, also for the same version."""
    return archives.pack_zip(
        {
            "META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\n",
            "com/example/greeting.properties": f"version={version}\nbuilt-for={root}\n{mark_build(number)}".encode(),
        }
    )
