# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Maven repositories. Private to the collection."""

from __future__ import annotations

import functools
import typing as t
from urllib.parse import quote
from xml.etree import ElementTree

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, InvalidContentError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import redact_url
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

_XML = "application/xml, text/xml"
_WORD = r"[A-Za-z0-9_.-]+"

# Packagings whose file does not end in .jar.
_EXTENSIONS = ("war", "ear", "rar", "aar", "zip")


class Maven(PathLayout):
    """GROUP:ARTIFACT or GROUP:ARTIFACT:VERSION: the POM, and the file that it describes."""

    def parse(self, text: str, architecture: str = "") -> ArtifactSpec:
        """Return the artifact, or raise InputError."""
        match = match_artifact(text, rf"({_WORD}:{_WORD})(?::({_WORD}))?", "GROUP:ARTIFACT or GROUP:ARTIFACT:VERSION")
        if (match[2] or "").endswith("-SNAPSHOT"):
            raise InputError(f"The artifact {text!r} is a snapshot.", hint="Name a release: snapshots are not served.")
        return ArtifactSpec(text, match[1], match[2])

    def find(self, site: RepositoryClient, artifact: ArtifactSpec) -> Release:
        """Return the release. Raises VersionMissing, and what Site raises."""
        group, _colon, name = artifact.name.partition(":")
        folder = f"{group.replace('.', '/')}/{name}"
        url = f"{site.root}/{folder}/maven-metadata.xml"
        if artifact.version is None:
            versions, released = _metadata(site.document(url, _XML))
            version = released or newest(versions)
            if version is None:
                raise VersionNotFoundError(f"version of {artifact.name}", "")
        else:
            # A client does not need it for a version that is known.
            document = site.get_document_or_none(url, _XML)
            versions, version = _metadata(document)[0] if document else [], artifact.version
        others = [other for other in newest_first(versions) if other != version]
        pom = _file(
            site, folder, name, version, "pom", next_files=functools.partial(_described, site, folder, name, version)
        )
        return Release(
            version, (pom,), tuple(_file(site, folder, name, other, "pom") for other in others[:MAX_FALLBACK_FILES])
        )


def _metadata(document: Document) -> tuple[list[str], str]:
    """Return all versions, and the one that is marked as the latest release; empty if none is."""
    versioning = _xml(document.body, "metadata", document.url).find("{*}versioning")
    if versioning is None:
        return [], ""
    versions = [found.text.strip() for found in versioning.findall("{*}versions/{*}version") if found.text]
    return versions, (versioning.findtext("{*}release") or "").strip()


def _described(site: RepositoryClient, folder: str, name: str, version: str, body: bytes) -> tuple[RemoteFile, ...]:
    """Return the file that a POM describes. A POM for others to build on describes none."""
    pom = _xml(body, "project", f"{site.root}/{folder}/{version}/{name}-{version}.pom")
    packaging = (pom.findtext("{*}packaging") or "jar").strip()
    if packaging == "pom":
        return ()
    return (_file(site, folder, name, version, packaging if packaging in _EXTENSIONS else "jar"),)


def _file(site: RepositoryClient, folder: str, name: str, version: str, extension: str, **more: t.Any) -> RemoteFile:
    path = f"{folder}/{version}/{name}-{version}.{extension}"
    url = f"{site.root}/{quote(path)}"
    checksum_urls = tuple((algorithm, f"{url}.{algorithm}") for algorithm in ("sha256", "sha1"))
    return RemoteFile(path.rpartition("/")[2], url, (path,), checksum_urls=checksum_urls, **more)


def _xml(body: bytes, root: str, url: str) -> ElementTree.Element:
    """Return the root element of a document, or raise Unusable. Entities, which can grow without end, are refused."""
    try:
        if b"<!ENTITY" in body:
            raise ElementTree.ParseError("it declares entities")
        found = ElementTree.fromstring(body)
    except ElementTree.ParseError as exc:
        raise InvalidContentError("content", f"a document that is no XML ({exc}).", url=redact_url(url)) from exc
    if found.tag.rpartition("}")[2] != root:
        raise InvalidContentError("content", f"an XML document that is no {root}.", url=redact_url(url))
    return found
