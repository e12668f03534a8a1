# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages that Chainguard serves, by path, including versions that a test adds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from ..packages import File, PackageIndex, alpine, dotnet, golang, java, javascript, python


@dataclass(frozen=True)
class Kind:
    """The function that builds the files of a repository, and its versions at start."""

    build: Callable[[str, Sequence[str]], PackageIndex]
    versions: tuple[str, ...] = ("1.0.0", "1.1.0")


KINDS = {
    **{repository: Kind(alpine.build_packages) for repository in alpine.NAMES},
    "dotnet": Kind(dotnet.build_packages),
    "go": Kind(golang.build_packages),
    "java": Kind(java.build_packages),
    "java-remediated": Kind(java.build_packages, ("1.0.0",)),
    "javascript": Kind(javascript.build_packages),
    "python": Kind(python.build_packages),
    "python-remediated": Kind(python.build_packages, ("1.0.0+cgr.1",)),
}


class PackageStore:
    """The packages of all repositories. `stored` holds the contents in the object store by their digest."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self._versions = {repository: list(kind.versions) for repository, kind in KINDS.items()}
        self._files: dict[str, PackageIndex] = {}
        for repository in KINDS:
            self._load(repository)

    def find(self, path: str) -> File | None:
        return next((files[path] for files in self._files.values() if path in files), None)

    def publish(self, repository: str, version: str) -> list[str]:
        """Add a version of the repository's packages and return the new paths. Raises ValueError if it exists."""
        if version in self._versions[repository]:
            raise ValueError(f"{repository} already has version {version}")
        before = self._files[repository].keys()
        self._versions[repository].append(version)
        self._load(repository)
        return sorted(self._files[repository].keys() - before)

    def _load(self, repository: str) -> None:
        files = KINDS[repository].build(repository, self._versions[repository])
        self._files[repository] = files
        self.stored.update((compute_digest(file), file.body) for file in files.values() if file.stored)


def compute_digest(file: File) -> str:
    return f"sha256:{sha256(file.body).hexdigest()}"
