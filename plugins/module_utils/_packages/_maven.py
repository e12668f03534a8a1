# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Maven repositories. Private to the collection."""

from __future__ import annotations

import functools
import typing as t
from urllib.parse import quote
from xml.etree import ElementTree

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, Unusable
from ansible_collections.cgr.pull_through.plugins.module_utils._http import shown_url
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._artifact import (
    SPARES,
    Artifact,
    File,
    Release,
    VersionMissing,
    parsed,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._layouts import ByPath
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._site import Document, Site
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._versions import newest, newest_first

_XML = "application/xml, text/xml"
_WORD = r"[A-Za-z0-9_.-]+"

# Packagings whose file does not end in .jar.
_EXTENSIONS = ("war", "ear", "rar", "aar", "zip")


class Maven(ByPath):
    """GROUP:ARTIFACT or GROUP:ARTIFACT:VERSION: the POM, and the file that it describes."""

    def parse(self, text: str, architecture: str = "") -> Artifact:
        """Return the artifact, or raise InputError."""
        match = parsed(text, rf"({_WORD}:{_WORD})(?::({_WORD}))?", "GROUP:ARTIFACT or GROUP:ARTIFACT:VERSION")
        if (match[2] or "").endswith("-SNAPSHOT"):
            raise InputError(f"The artifact {text!r} is a snapshot.", hint="Name a release: snapshots are not served.")
        return Artifact(text, match[1], match[2])

    def find(self, site: Site, artifact: Artifact) -> Release:
        """Return the release. Raises VersionMissing, and what Site raises."""
        group, _colon, name = artifact.name.partition(":")
        folder = f"{group.replace('.', '/')}/{name}"
        url = f"{site.root}/{folder}/maven-metadata.xml"
        if artifact.version is None:
            versions, released = _metadata(site.document(url, _XML))
            version = released or newest(versions)
            if version is None:
                raise VersionMissing(f"version of {artifact.name}", "")
        else:
            # A client does not need it for a version that is known.
            document = site.document_if_any(url, _XML)
            versions, version = _metadata(document)[0] if document else [], artifact.version
        others = [other for other in newest_first(versions) if other != version]
        pom = _file(
            site, folder, name, version, "pom", leads_to=functools.partial(_described, site, folder, name, version)
        )
        return Release(version, (pom,), tuple(_file(site, folder, name, other, "pom") for other in others[:SPARES]))


def _metadata(document: Document) -> tuple[list[str], str]:
    """Return all versions, and the one that is marked as the latest release; empty if none is."""
    versioning = _xml(document.body, "metadata", document.url).find("{*}versioning")
    if versioning is None:
        return [], ""
    versions = [found.text.strip() for found in versioning.findall("{*}versions/{*}version") if found.text]
    return versions, (versioning.findtext("{*}release") or "").strip()


def _described(site: Site, folder: str, name: str, version: str, body: bytes) -> tuple[File, ...]:
    """Return the file that a POM describes. A POM for others to build on describes none."""
    pom = _xml(body, "project", f"{site.root}/{folder}/{version}/{name}-{version}.pom")
    packaging = (pom.findtext("{*}packaging") or "jar").strip()
    if packaging == "pom":
        return ()
    return (_file(site, folder, name, version, packaging if packaging in _EXTENSIONS else "jar"),)


def _file(site: Site, folder: str, name: str, version: str, extension: str, **more: t.Any) -> File:
    path = f"{folder}/{version}/{name}-{version}.{extension}"
    url = f"{site.root}/{quote(path)}"
    sidecars = tuple((algorithm, f"{url}.{algorithm}") for algorithm in ("sha256", "sha1"))
    return File(path.rpartition("/")[2], url, (path,), sidecars=sidecars, **more)


def _xml(body: bytes, root: str, url: str) -> ElementTree.Element:
    """Return the root element of a document, or raise Unusable. Entities, which can grow without end, are refused."""
    try:
        if b"<!ENTITY" in body:
            raise ElementTree.ParseError("it declares entities")
        found = ElementTree.fromstring(body)
    except ElementTree.ParseError as exc:
        raise Unusable("content", f"a document that is no XML ({exc}).", url=shown_url(url)) from exc
    if found.tag.rpartition("}")[2] != root:
        raise Unusable("content", f"an XML document that is no {root}.", url=shown_url(url))
    return found
