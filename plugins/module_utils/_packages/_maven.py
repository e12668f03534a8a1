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
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._parsing import parse_xml
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import (
    Document,
    RepositoryClient,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._urls import PathLayout
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._versions import (
    newest,
    newest_first,
    older_than,
    valid_versions,
)

_XML = "application/xml, text/xml"
_WORD = r"[A-Za-z0-9_.-]+"

# Packagings with an extension other than .jar.
_EXTENSIONS = frozenset(
    ("war", "ear", "rar", "par", "sar", "aar", "zip", "hpi", "jpi", "nbm", "nar", "kar", "xar", "mar", "swc", "apklib")
)


class Maven(PathLayout):
    """GROUP:ARTIFACT or GROUP:ARTIFACT:VERSION: the POM and the file that it describes."""

    def parse(self, text: str, architecture: str = "") -> ArtifactSpec:
        """Return the artifact. Raises InputError if the text is not valid."""
        match = match_artifact(text, rf"({_WORD}:{_WORD})(?::({_WORD}))?", "GROUP:ARTIFACT or GROUP:ARTIFACT:VERSION")
        if (match[2] or "").endswith("-SNAPSHOT"):
            raise InputError(f"The artifact {text!r} is a snapshot.", hint="Use a release: snapshots are not served.")
        return ArtifactSpec(text, match[1], match[2])

    def find(self, client: RepositoryClient, artifact: ArtifactSpec, withheld: t.Collection[str] = ()) -> Release:
        """Return the release. Raises the exceptions of Ecosystem.find()."""
        group, _colon, name = artifact.name.partition(":")
        folder = f"{group.replace('.', '/')}/{name}"
        url = f"{client.base_url}/{folder}/maven-metadata.xml"
        if artifact.version is None:
            versions, released = _parse_metadata(client.get_document(url, _XML))
            versions = older_than(versions, withheld)
            version = newest(versions) if withheld or not released else released
            if version is None:
                raise VersionNotFoundError(f"version of {artifact.name}", "")
        else:
            # A repository can serve a version without serving the metadata.
            document = client.get_document_or_none(url, _XML)
            versions, version = _parse_metadata(document)[0] if document else [], artifact.version
        others = [other for other in newest_first(versions) if other != version]
        next_files = functools.partial(_packaged_files, client, folder, name, version)
        pom = _file(client, folder, name, version, "pom", next_files=next_files)
        fallback_files = tuple(_file(client, folder, name, other, "pom") for other in others[:MAX_FALLBACK_FILES])
        return Release(version, (pom,), fallback_files, index_paths=(f"{folder}/maven-metadata.xml",))


def _parse_metadata(document: Document) -> tuple[list[str], str]:
    """Return all versions, and the latest release; empty if the metadata does not name one."""
    versioning = _parse_xml(document.body, "metadata", document.url).find("{*}versioning")
    if versioning is None:
        return [], ""
    versions = [(element.text or "").strip() for element in versioning.findall("{*}versions/{*}version")]
    released = (versioning.findtext("{*}release") or "").strip()
    return valid_versions(versions, _WORD), "".join(valid_versions([released], _WORD))


def _packaged_files(
    client: RepositoryClient, folder: str, name: str, version: str, body: bytes
) -> tuple[RemoteFile, ...]:
    """Return the file that a POM describes. A parent POM describes none."""
    pom = _parse_xml(body, "project", f"{client.base_url}/{folder}/{version}/{name}-{version}.pom")
    packaging = (pom.findtext("{*}packaging") or "jar").strip()
    if packaging == "pom":
        return ()
    return (_file(client, folder, name, version, packaging if packaging in _EXTENSIONS else "jar"),)


def _file(
    client: RepositoryClient, folder: str, name: str, version: str, extension: str, **fields: t.Any
) -> RemoteFile:
    path = f"{folder}/{version}/{name}-{version}.{extension}"
    url = f"{client.base_url}/{quote(path)}"
    checksum_urls = tuple((algorithm, f"{url}.{algorithm}") for algorithm in ("sha256", "sha1"))
    return RemoteFile(path.rpartition("/")[2], url, (path,), checksum_urls=checksum_urls, **fields)


def _parse_xml(body: bytes, root_tag: str, url: str) -> ElementTree.Element:
    """Return the root element. Raises InvalidContentError."""
    try:
        root = parse_xml(body)
    except ValueError as exc:
        raise InvalidContentError("content", f"the document is not valid: {exc}.", url=redact_url(url)) from exc
    if root.tag.rpartition("}")[2] != root_tag:
        raise InvalidContentError(
            "content", f"the root element of the document is not {root_tag}.", url=redact_url(url)
        )
    return root
