# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages that Chainguard serves, by path, with the changes that a test makes and the blocked versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from ..packages import File, PackageIndex, Versions, alpine, dotnet, golang, java, javascript, python

if TYPE_CHECKING:
    from ..simulator import Simulator

DAY = 86400.0
BLOCKLIST, COOLDOWN, MALWARE = "POLICY_ORG_BLOCKLIST", "POLICY_COOLDOWN", "MALWARE_DETECTED"
REASONS = (BLOCKLIST, COOLDOWN, MALWARE)
BLOCKED_VERSION = "0.9.0"
# Packages that Chainguard did not build, by repository. A new version of them has to wait for the cooldown.
UPSTREAM = {"javascript": javascript.UPSTREAM, "python": python.UPSTREAM}


class BlockedError(Exception):
    """A file of a version that a policy blocks."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Kind:
    """How a repository is built, and its versions at start.

    `names`: packages that have all `versions`. `others`: packages with versions of their own. `blocked`: versions of
    `names` that are blocked at start.
    """

    build: Callable[[str, Mapping[str, Versions]], PackageIndex]
    names: Sequence[str]
    versions: Sequence[str] = ("1.0.0", "1.1.0")
    others: Mapping[str, Sequence[str]] = field(default_factory=dict)
    blocked: Sequence[str] = ()

    def seed(self) -> dict[str, dict[str, int]]:
        """The first build of each version by package."""
        packages = {name: [*self.blocked, *self.versions] for name in self.names} | dict(self.others)
        return {name: dict.fromkeys(versions, 0) for name, versions in packages.items()}


_LIBRARY = (BLOCKED_VERSION,)
KINDS = {
    **{repository: Kind(alpine.build_packages, names) for repository, names in alpine.NAMES.items()},
    "dotnet": Kind(dotnet.build_packages, dotnet.NAMES, blocked=_LIBRARY),
    "go": Kind(golang.build_packages, golang.NAMES, others=golang.OTHERS, blocked=_LIBRARY),
    "java": Kind(java.build_packages, java.NAMES, others=java.OTHERS["java"], blocked=_LIBRARY),
    "java-remediated": Kind(java.build_packages, java.NAMES, ("1.0.0-0.cgr.1",), java.OTHERS["java-remediated"]),
    "javascript": Kind(javascript.build_packages, javascript.NAMES, others=javascript.OTHERS, blocked=_LIBRARY),
    "python": Kind(python.build_packages, python.NAMES, others=python.OTHERS["python"], blocked=_LIBRARY),
    "python-remediated": Kind(
        python.build_packages, python.NAMES, ("1.0.0+cgr.1",), python.OTHERS["python-remediated"]
    ),
    **{root: Kind(python.build_packages, (), others=python.OTHERS[root]) for root in python.CUDA},
}


class PackageStore:
    """The packages of all repositories. `stored` holds the contents in the object store by their digest."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.stored: dict[str, bytes] = {}
        self._packages = {repository: kind.seed() for repository, kind in KINDS.items()}
        self._blocks = {
            (repository, name, version): BLOCKLIST
            for repository, kind in KINDS.items()
            for name in kind.names
            for version in kind.blocked
        }
        self._cooldowns: dict[tuple[str, str, str], float] = {}  # their ends
        self._files: dict[str, PackageIndex] = {}
        self._blocked_paths: dict[str, dict[str, str]] = {}
        for repository in KINDS:
            self._load(repository)

    def find(self, path: str) -> File | None:
        """The file at a path, None if there is none. Raises BlockedError for a file of a blocked version."""
        self._end_cooldowns()
        for repository, files in self._files.items():
            if path in files:
                return files[path]
            if reason := self._blocked_paths[repository].get(path):
                raise BlockedError(reason)
        return None

    def names(self, repository: str) -> list[str]:
        """The packages of a repository with a version that is not blocked."""
        blocked = {key[1:] for key in self._blocks if key[0] == repository}
        packages = self._packages[repository].items()
        return sorted(
            name for name, versions in packages if any((name, version) not in blocked for version in versions)
        )

    def publish(self, repository: str, version: str, package: str = "", *, from_upstream: bool = False) -> list[str]:
        """Add a version of a package and return the new paths. Without `package`, of all `names` of the repository.

        Raises KeyError for an unknown package, ValueError if it has the version.
        """
        before = self._paths(repository)
        for name in self._names(repository, package):
            versions = self._packages[repository][name]
            if version in versions:
                raise ValueError(f"{name} of {repository} already has version {version}")
            versions[version] = 0
            seconds = self._simulator.settings["library_cooldown_days"] * DAY
            if seconds and (from_upstream or name in UPSTREAM.get(repository, ())):
                self._blocks[repository, name, version] = COOLDOWN
                self._cooldowns[repository, name, version] = self._simulator.clock.now() + seconds
        self._load(repository)
        return sorted(self._paths(repository) - before)

    def rebuild(self, repository: str, version: str, package: str = "") -> None:
        """Give the files of a version other bytes. Raises KeyError for an unknown package or version."""
        for name in self._names(repository, package):
            self._packages[repository][name][version] += 1
        self._load(repository)

    def block(self, repository: str, version: str, package: str = "", *, reason: str) -> None:
        """Block a version, or with an empty reason end its block. Raises KeyError, and ValueError for the reason."""
        if reason and reason not in REASONS:
            raise ValueError(f"unknown reason {reason}; available: {', '.join(REASONS)}")
        for name in self._names(repository, package):
            if version not in self._packages[repository][name]:
                raise KeyError(f"{name} {version}")
            self._blocks.pop((repository, name, version), None)
            if reason:
                self._blocks[repository, name, version] = reason
        self._load(repository)

    def _paths(self, repository: str) -> set[str]:
        return self._files[repository].keys() | self._blocked_paths[repository].keys()

    def _names(self, repository: str, package: str) -> Sequence[str]:
        if package and package not in self._packages[repository]:
            raise KeyError(package)
        return (package,) if package else KINDS[repository].names

    def _end_cooldowns(self) -> None:
        now = self._simulator.clock.now()
        for key in [key for key, end in self._cooldowns.items() if end <= now]:
            del self._cooldowns[key]
            if self._blocks.get(key) == COOLDOWN:
                del self._blocks[key]
            self._load(key[0])

    def _load(self, repository: str) -> None:
        """Build the files of the versions that are not blocked, and collect the paths of the others."""
        build, packages = KINDS[repository].build, self._packages[repository]
        blocks = {key[1:]: reason for key, reason in self._blocks.items() if key[0] == repository}
        visible = {
            name: {version: number for version, number in versions.items() if (name, version) not in blocks}
            for name, versions in packages.items()
        }
        files = build(repository, {name: versions for name, versions in visible.items() if versions})
        self._files[repository] = files
        self._blocked_paths[repository] = {
            path: reason
            for (name, version), reason in blocks.items()
            for path in build(repository, {name: {version: packages[name][version]}}).keys() - files.keys()
        }
        self.stored.update((compute_digest(file), file.body) for file in files.values() if file.stored)


def compute_digest(file: File) -> str:
    return f"sha256:{sha256(file.body).hexdigest()}"
