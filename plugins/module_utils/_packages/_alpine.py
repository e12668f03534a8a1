# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""APK repositories. Private to the collection."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import heapq
import io
import tarfile
import typing as t
import zlib
from urllib.parse import quote

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, InvalidContentError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import redact_url
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._apk_checksum import (
    ApkVerifier,
    known_checksum,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._model import (
    MAX_FALLBACK_FILES,
    ArtifactSpec,
    Release,
    RemoteFile,
    VersionNotFoundError,
    match_artifact,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import (
    Document,
    RepositoryClient,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._urls import PathLayout
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._versions import newest, newest_first

_ACCEPT = "application/gzip, application/octet-stream"
_INDEX = "APKINDEX"
_LONGEST_LINE = 1 << 20
_SMALLEST = "*"


@dataclasses.dataclass(frozen=True)
class _Package:
    """One entry of an index. size is in bytes; checksum is as the index writes it."""

    name: str
    version: str
    size: int
    checksum: str


class Alpine(PathLayout):
    """NAME or NAME=VERSION, for one architecture: the package. * is the one that has the smallest file in the index."""

    def parse(self, text: str, architecture: str = "") -> ArtifactSpec:
        """Return the artifact, or raise InputError."""
        name, version = r"\*|[A-Za-z0-9][A-Za-z0-9._+-]*", r"(?<!\*)=([A-Za-z0-9._+~-]+)"
        match = match_artifact(text, rf"({name})(?:{version})?", "NAME, NAME=VERSION, or * for the smallest package")
        if not architecture.replace("_", "").isalnum():
            raise InputError(f"{architecture!r} is not an architecture.", hint="Write it as apk does, such as x86_64.")
        return ArtifactSpec(text, match[1], match[2], architecture)

    def find(self, site: RepositoryClient, artifact: ArtifactSpec) -> Release:
        """Return the release. Raises VersionMissing, and what Site raises."""
        folder = artifact.architecture
        document = site.document(f"{site.root}/{folder}/{_INDEX}.tar.gz", _ACCEPT)
        if artifact.name == _SMALLEST:
            artifact = _smallest(document, folder)
        versions: dict[str, _Package] = {}
        smallest: list[_Package] = []
        for package in _packages(document):
            if package.name == artifact.name:
                versions[package.version] = package
            else:
                smallest = heapq.nsmallest(MAX_FALLBACK_FILES, [*smallest, package], key=lambda one: one.size)
        version = artifact.version or newest(versions)
        if version not in versions:
            wanted = artifact.label if artifact.version else f"package {artifact.name} for {folder}"
            raise VersionNotFoundError(wanted, ", ".join(newest_first(versions)[:3]))
        others = [versions[other] for other in newest_first(versions) if other != version]
        fallback_files = heapq.nsmallest(MAX_FALLBACK_FILES, [*smallest, *others], key=lambda one: one.size)
        files = (_file(site, folder, versions[version]),)
        return Release(version, files, tuple(_file(site, folder, one) for one in fallback_files), artifact)


def _smallest(document: Document, architecture: str) -> ArtifactSpec:
    """Return the package that has the smallest file, whichever version that is. Raises VersionMissing."""
    found = min(_packages(document), key=lambda one: (one.size, one.name), default=None)
    if found is None:
        raise VersionNotFoundError(f"package for {architecture}", "")
    return ArtifactSpec(found.name, found.name, None, architecture)


def _file(site: RepositoryClient, folder: str, package: _Package) -> RemoteFile:
    path = f"{folder}/{package.name}-{package.version}.apk"
    known = known_checksum(package.checksum)
    content_verifier = functools.partial(ApkVerifier, *known) if known else None
    return RemoteFile(
        path.rpartition("/")[2],
        f"{site.root}/{quote(path)}",
        (path,),
        size=package.size,
        content_verifier=content_verifier,
    )


def _packages(document: Document) -> t.Iterator[_Package]:
    """Yield the entries of an index, line by line: its text is many times as large as the file."""
    try:
        # A signature can stand before the index, as a gzip member and a tar archive of its own.
        unpacked = t.cast(t.IO[bytes], gzip.GzipFile(fileobj=io.BytesIO(document.body)))
        with tarfile.open(fileobj=unpacked, mode="r|", ignore_zeros=True) as archive:
            for member in archive:
                text = archive.extractfile(member) if member.name == _INDEX else None
                if text is not None:
                    yield from _entries(text)
                    return
    except (OSError, EOFError, tarfile.TarError, zlib.error, KeyError, ValueError) as exc:
        raise InvalidContentError(
            "content", f"an index that cannot be read ({exc}).", url=redact_url(document.url)
        ) from exc
    raise InvalidContentError("content", f"an archive without {_INDEX}.", url=redact_url(document.url))


def _entries(text: t.IO[bytes]) -> t.Iterator[_Package]:
    fields: dict[str, str] = {}
    while line := text.readline(_LONGEST_LINE):
        name, colon, value = line.decode("utf-8", "replace").rstrip("\n").partition(":")
        if colon and len(name) == 1:
            fields[name] = value
        elif fields:
            yield _package(fields)
            fields = {}
    if fields:
        yield _package(fields)


def _package(fields: t.Mapping[str, str]) -> _Package:
    return _Package(fields["P"], fields["V"], int(fields["S"]), fields.get("C", ""))
