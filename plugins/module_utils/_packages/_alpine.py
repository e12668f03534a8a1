# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""APK repositories of Alpine, Wolfi and Chainguard OS. Private to the collection."""

from __future__ import annotations

import functools
import heapq
import re
import typing as t
from urllib.parse import quote

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._apk_checksum import (
    ApkVerifier,
    parse_checksum,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._model import (
    MAX_FALLBACK_FILES,
    ArtifactSpec,
    Release,
    RemoteFile,
    VersionNotFoundError,
    match_artifact,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._parsing import (
    MAX_APK_INDEX_SIZE,
    open_tar_member,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import (
    Document,
    RepositoryClient,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._urls import PathLayout
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._versions import (
    newest,
    newest_first,
    older_than,
)

_ACCEPT = "application/gzip, application/octet-stream"
_INDEX = "APKINDEX"
_MAX_LINES = 8_000_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,254}")
_VERSION = re.compile(r"[A-Za-z0-9._+~-]{1,255}")
_SIZE = re.compile(r"[0-9]{1,18}", re.ASCII)
_SMALLEST = "*"


class _Package(t.NamedTuple):
    """An entry of an index. size: in bytes. checksum: in the format of the index."""

    name: str
    version: str
    size: int
    checksum: str


class Alpine(PathLayout):
    """NAME or NAME=VERSION for one architecture, or * for the package with the smallest file in the index."""

    def parse(self, text: str, architecture: str = "") -> ArtifactSpec:
        """Return the artifact. Raises InputError if the text is not valid."""
        name, version = r"\*|[A-Za-z0-9][A-Za-z0-9._+-]*", r"(?<!\*)=([A-Za-z0-9._+~-]+)"
        match = match_artifact(text, rf"({name})(?:{version})?", "NAME, NAME=VERSION, or * for the smallest package")
        if not architecture.replace("_", "").isalnum():
            raise InputError(
                f"{architecture!r} is not an architecture.", hint="Use the name that apk uses, such as x86_64."
            )
        return ArtifactSpec(text, match[1], match[2], architecture)

    def find(self, client: RepositoryClient, artifact: ArtifactSpec, withheld: t.Collection[str] = ()) -> Release:
        """Return the release. Raises the exceptions of Ecosystem.find()."""
        architecture = artifact.architecture
        document = client.get_document(
            f"{client.base_url}/{architecture}/{_INDEX}.tar.gz", _ACCEPT, limit=MAX_APK_INDEX_SIZE
        )
        if artifact.name == _SMALLEST:
            artifact = _smallest(document, architecture)
        versions: dict[str, _Package] = {}
        small_packages: list[_Package] = []
        for package in _packages(document):
            if package.name == artifact.name:
                versions[package.version] = package
            else:
                small_packages = _smallest_files([*small_packages, package])
        versions = {version: versions[version] for version in older_than(versions, withheld)}
        version = artifact.version or newest(versions)
        if version not in versions:
            missing = artifact.label if artifact.version else f"package {artifact.name} for {architecture}"
            raise VersionNotFoundError(missing, ", ".join(newest_first(versions)[:3]))
        others = [versions[other] for other in newest_first(versions) if other != version]
        fallback_files = tuple(
            _file(client, architecture, package) for package in _smallest_files([*small_packages, *others])
        )
        file, index_paths = _file(client, architecture, versions[version]), (f"{architecture}/{_INDEX}.tar.gz",)
        return Release(version, (file,), fallback_files, artifact, index_paths)


def _smallest_files(packages: t.Iterable[_Package]) -> list[_Package]:
    return heapq.nsmallest(MAX_FALLBACK_FILES, packages, key=lambda package: package.size)


def _smallest(document: Document, architecture: str) -> ArtifactSpec:
    """Return the package with the smallest file of any version. Raises VersionNotFoundError if the index is empty."""
    smallest = min(_packages(document), key=lambda package: (package.size, package.name), default=None)
    if smallest is None:
        raise VersionNotFoundError(f"packages for {architecture}", "")
    return ArtifactSpec(smallest.name, smallest.name, None, architecture)


def _file(client: RepositoryClient, architecture: str, package: _Package) -> RemoteFile:
    path = f"{architecture}/{package.name}-{package.version}.apk"
    checksum = parse_checksum(package.checksum)
    content_verifier = functools.partial(ApkVerifier, *checksum) if checksum else None
    return RemoteFile(
        path.rpartition("/")[2],
        f"{client.base_url}/{quote(path)}",
        (path,),
        size=package.size,
        content_verifier=content_verifier,
    )


def _packages(document: Document) -> t.Iterator[_Package]:
    """Yield the entries of an index. They are read line by line, because the text is much larger than the file."""
    try:
        lines = open_tar_member(document.body, _INDEX)
        if lines is not None:
            yield from _entries(lines)
            return
    except (KeyError, ValueError) as exc:
        raise document.error(f"the index cannot be read ({exc}).") from exc
    raise document.error(f"the index is an archive without {_INDEX}.")


def _entries(lines: t.Iterator[bytes]) -> t.Iterator[_Package]:
    fields: dict[str, str] = {}
    for number, line in enumerate(lines):
        if number == _MAX_LINES:
            raise ValueError(f"it has more than {_MAX_LINES} lines")
        name, colon, value = line.decode("utf-8", "replace").rstrip("\n").partition(":")
        if colon and len(name) == 1:
            fields[name] = value
        elif fields:
            yield _package(fields)
            fields = {}
    if fields:
        yield _package(fields)


def _package(fields: t.Mapping[str, str]) -> _Package:
    if not (_NAME.fullmatch(fields["P"]) and _VERSION.fullmatch(fields["V"]) and _SIZE.fullmatch(fields["S"])):
        raise ValueError("it has a package without a valid name, version or size")
    return _Package(fields["P"], fields["V"], int(fields["S"]), fields.get("C", ""))
