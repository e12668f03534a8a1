# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Artifacts, the files of a release, and what an index promises of them. Pure. Private to the collection."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, PullThroughError

# How many files nearby are named, to find one that is not in the cache.
MAX_FALLBACK_FILES = 5

_HEX_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha384": 96, "sha512": 128}


class VersionNotFoundError(PullThroughError):
    """An index that does not have the artifact, or not in the version that was asked for."""

    def __init__(self, wanted: str, found: str) -> None:
        self.wanted = wanted
        self.found = found or "nothing"
        super().__init__(f"The index has no {wanted}; it has: {self.found}.")


@dataclasses.dataclass(frozen=True)
class ArtifactSpec:
    """One artifact as the user wrote it. version is None for the newest; architecture is empty where there is none."""

    text: str
    name: str
    version: str | None
    architecture: str = ""

    @property
    def label(self) -> str:
        """How it is written, with its architecture."""
        return f"{self.text} ({self.architecture})" if self.architecture else self.text


@dataclasses.dataclass(frozen=True)
class Checksum:
    """value is in lower-case hexadecimal digits."""

    algorithm: str
    value: str

    @classmethod
    def of(cls, algorithm: str, value: str) -> Checksum | None:
        """Return a checksum that can be verified; None for anything else."""
        algorithm, value = algorithm.lower().replace("-", ""), value.lower()
        known = re.fullmatch(rf"[0-9a-f]{{{_HEX_DIGITS.get(algorithm, 0)}}}", value) and value
        return cls(algorithm, value) if known else None


class ContentVerifier(t.Protocol):
    """A check of content that is more than a checksum over all of it."""

    def update(self, data: bytes) -> None:
        """Take in more of the content."""

    def error(self) -> str:
        """Return what is wrong with the content, now that all of it was taken in; empty if nothing is."""


@dataclasses.dataclass(frozen=True)
class RemoteFile:
    """One file that an index names.

    url: where it is. paths: where in Artifactory's cache it can be, the likely place first.
    promised, size, seal: what the index says of its content. sidecars: algorithms, and URLs that hold such a checksum.
    leads_to: from its content to the files that have to be fetched too.
    fixed: whether it is the same wherever it is served; it is not where each server describes a version in its own words.
    """

    name: str
    url: str
    paths: tuple[str, ...]
    expected_checksums: tuple[Checksum, ...] = ()
    size: int | None = None
    content_verifier: t.Callable[[], ContentVerifier] | None = None
    checksum_urls: tuple[tuple[str, str], ...] = ()
    next_files: t.Callable[[bytes], tuple[RemoteFile, ...]] | None = None
    identical_upstream: bool = True


@dataclasses.dataclass(frozen=True)
class Release:
    """One version of an artifact. files: what a client fetches of it, the smallest first.

    spares: small files nearby that the artifact does not need, which can show that something comes from upstream.
    artifact: what was found, for an artifact that leaves its name to the index.
    """

    version: str
    files: tuple[RemoteFile, ...]
    fallback_files: tuple[RemoteFile, ...] = ()
    artifact: ArtifactSpec | None = None


@dataclasses.dataclass(frozen=True)
class DownloadedFile:
    """A file that was fetched and verified. digests has the algorithms sha1 and sha256 at least.

    verified_checksums: the algorithms of the checksums that were promised, all of which it has.
    """

    file: RemoteFile
    size: int
    digests: t.Mapping[str, str]
    expected_checksums: tuple[str, ...]
    body: bytes = dataclasses.field(default=b"", repr=False)


def match_artifact(text: str, pattern: str, form: str) -> re.Match[str]:
    """Return the match of a whole artifact, or raise InputError. form: how to write one."""
    match = re.fullmatch(pattern, text)
    if match is None or ".." in text:
        raise InputError(f"The artifact {text!r} cannot be read.", hint=f"Write it as {form}.")
    return match
