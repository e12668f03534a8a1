# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simple repositories of Python packages. Private to the collection."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InvalidContentError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import redact_url
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._model import (
    MAX_FALLBACK_FILES,
    ArtifactSpec,
    Checksum,
    Release,
    RemoteFile,
    VersionNotFoundError,
    match_artifact,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._parsing import parse_links
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import (
    Document,
    RepositoryClient,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._urls import ApiLayout
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._versions import (
    newest,
    newest_first,
    older_than,
)

_ACCEPT = "application/vnd.pypi.simple.v1+html, text/html"
_SDISTS = (".tar.gz", ".zip", ".tar.bz2")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]{0,254}")
_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"


class _Link(t.NamedTuple):
    """A file of a project. href: can be relative to the page."""

    name: str
    href: str
    yanked: bool

    @property
    def is_portable(self) -> bool:
        """Whether the file is platform-independent. Platform wheels are numerous and large."""
        return self.name.endswith(("-none-any.whl", *_SDISTS))


class PyPi(ApiLayout):
    """NAME or NAME==VERSION: one file. Platform-independent wheels come before sources and platform wheels."""

    api_path = "pypi"
    index_path = "/simple"

    def parse(self, text: str, architecture: str = "") -> ArtifactSpec:
        """Return the artifact. Raises InputError if the text is not valid."""
        match = match_artifact(text, rf"({_WORD})(?:==([A-Za-z0-9.!+_-]+))?", "NAME or NAME==VERSION")
        return ArtifactSpec(text, re.sub(r"[-_.]+", "-", match[1]).lower(), match[2])

    def upstream_file_url(self, base_url: str, path: str) -> str:
        """Return the URL of a file at the upstream, where files are below the host and not below the index."""
        return urljoin(base_url, f"/{quote(path)}")

    def find(self, client: RepositoryClient, artifact: ArtifactSpec, withheld: t.Collection[str] = ()) -> Release:
        """Return the release. Raises the exceptions of Ecosystem.find()."""
        document = client.get_document(f"{client.base_url}/{artifact.name}/", _ACCEPT, allow_html=True)
        versions = _links_by_version(artifact.name, _parse_links(document))
        versions = {version: versions[version] for version in older_than(versions, withheld)}
        version = artifact.version or newest(version for version, links in versions.items() if not links[0].yanked)
        if version not in versions:
            missing = artifact.text if artifact.version else f"a version of {artifact.name}"
            raise VersionNotFoundError(missing, ", ".join(newest_first(versions)[:3]))
        links = versions[version]
        others = [
            link
            for other in newest_first(versions)
            for link in versions[other]
            if link.is_portable and link != links[0]
        ]
        fallback_files = tuple(_file(client, document, link) for link in others[:MAX_FALLBACK_FILES])
        index_paths = (f".pypi/{artifact.name}.html",)
        return Release(version, (_file(client, document, links[0]),), fallback_files, index_paths=index_paths)


def _parse_links(document: Document) -> list[_Link]:
    """Return the files of a page. Raises InvalidContentError if it is not an index, but for example a redirect."""
    try:
        links = [
            _Link(text, attributes.get("href", ""), "data-yanked" in attributes)
            for text, attributes in parse_links(document.body.decode("utf-8", "replace"))
            if text
        ]
    except ValueError as exc:
        raise document.error(f"the index is not valid: {exc}.") from exc
    files = [link for link in links if link.name.endswith((".whl", *_SDISTS)) and _FILE_NAME.fullmatch(link.name)]
    if links and not files:
        raise InvalidContentError("html", "an HTML page that is not an index of files.", url=redact_url(document.url))
    return files


def _links_by_version(name: str, links: t.Iterable[_Link]) -> dict[str, list[_Link]]:
    """Return the files of each version, the preferred one first."""
    versions: dict[str, list[_Link]] = {}
    for link in links:
        if version := _version(name, link.name):
            versions.setdefault(version, []).append(link)
    return {version: sorted(version_links, key=_sort_key) for version, version_links in versions.items()}


def _version(name: str, file_name: str) -> str:
    """Return the version in a file name; empty for a file of another project."""
    stem = file_name.removesuffix(".whl")
    if stem != file_name:
        project, version = (*stem.split("-"), "")[:2]
    else:
        stem = next(file_name.removesuffix(suffix) for suffix in _SDISTS if file_name.endswith(suffix))
        project, version = stem[: len(name)], stem[len(name) + 1 :]
    return version if re.sub(r"[-_.]+", "-", project).lower() == name else ""


def _sort_key(link: _Link) -> tuple[bool, bool, bool, str]:
    return (link.yanked, not link.is_portable, not link.name.endswith(".whl"), link.name)


def _file(client: RepositoryClient, document: Document, link: _Link) -> RemoteFile:
    try:
        url, fragment = urldefrag(urljoin(document.url, link.href))
    except ValueError as exc:
        raise InvalidContentError(
            "content", f"the index has a link that is not valid ({exc}).", url=redact_url(document.url)
        ) from exc
    url = client.rewrite_url(url)
    algorithm, _equals, value = fragment.partition("=")
    checksum = Checksum.from_hex(algorithm, value)
    # Artifactory caches a file under its path upstream, which can also start with packages/.
    path = unquote(urlsplit(url).path).partition("/packages/")[2]
    paths = tuple(dict.fromkeys((path, path.removeprefix("packages/"), f"packages/{path}")))
    return RemoteFile(link.name, url, paths, expected_checksums=(checksum,) if checksum else ())
