# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Artifacts, and the files of a release as an index declares them. No I/O. Private to the collection."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, PullThroughError

MAX_FALLBACK_FILES = 5

_HEX_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha384": 96, "sha512": 128}


class VersionNotFoundError(PullThroughError):
    """An index without the artifact, or without the requested version. missing, available: for messages."""

    def __init__(self, missing: str, available: str) -> None:
        self.missing = missing
        self.available = available or "nothing"
        super().__init__(f"The index does not have {missing}. Available: {self.available}.")


class ArtifactSpec(t.NamedTuple):
    """An artifact as the user wrote it. version: None for the newest. architecture: empty if the ecosystem has none."""

    text: str
    name: str
    version: str | None
    architecture: str = ""

    @property
    def label(self) -> str:
        """The text, with the architecture."""
        return f"{self.text} ({self.architecture})" if self.architecture else self.text


class Checksum(t.NamedTuple):
    """value: lower-case hexadecimal digits."""

    algorithm: str
    value: str

    @classmethod
    def from_hex(cls, algorithm: str, value: str) -> Checksum | None:
        """Return the checksum; None if it cannot be verified."""
        algorithm, value = algorithm.lower().replace("-", ""), value.lower()
        digits = _HEX_DIGITS.get(algorithm)
        return cls(algorithm, value) if digits and re.fullmatch(rf"[0-9a-f]{{{digits}}}", value) else None


class ContentVerifier(t.Protocol):
    """A check of content that is more than a checksum over all of it."""

    def update(self, data: bytes) -> None:
        """Process the next part of the content."""

    def error(self) -> str:
        """Return what is wrong with the complete content; empty if it is valid."""


class RemoteFile(t.NamedTuple):
    """A file that an index names.

    paths: possible paths in the cache of Artifactory, the likely one first.
    expected_checksums, size, content_verifier: what the index declares about the content.
    checksum_urls: pairs of an algorithm and the URL of a file with that checksum.
    next_files: returns the files to fetch after this one, from its content.
    identical_upstream: False if each server generates the content itself.
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


class Release(t.NamedTuple):
    """One version of an artifact.

    files: what a client fetches, the smallest first.
    fallback_files: small files that the artifact does not need. They can show that something comes from upstream.
    index_paths: possible paths of the index in the cache of Artifactory.
    artifact: the resolved artifact, if its name depends on the index.
    """

    version: str
    files: tuple[RemoteFile, ...]
    fallback_files: tuple[RemoteFile, ...] = ()
    artifact: ArtifactSpec | None = None
    index_paths: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class DownloadedFile:
    """A file that was fetched and verified.

    digests: by algorithm, sha1 and sha256 at least. verified_checksums: the algorithms of the expected checksums.
    body: the content of a small file that has next_files; otherwise empty.
    """

    file: RemoteFile
    size: int
    digests: t.Mapping[str, str]
    verified_checksums: tuple[str, ...]
    body: bytes = dataclasses.field(default=b"", repr=False)


def match_artifact(text: str, pattern: str, syntax: str) -> re.Match[str]:
    """Return the match of the whole text. syntax: for the message. Raises InputError if the text does not match."""
    match = re.fullmatch(pattern, text)
    if match is None or ".." in text:
        raise InputError(f"The artifact {text!r} is not valid.", hint=f"Write it as {syntax}.")
    return match
