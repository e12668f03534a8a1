# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Go module proxies. Private to the collection.

A proxy declares no checksums: go.sum is verified with the checksum database.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote

from ansible_collections.cgr.pull_through.plugins.module_utils._packages._model import (
    MAX_FALLBACK_FILES,
    ArtifactSpec,
    Release,
    RemoteFile,
    VersionNotFoundError,
    match_artifact,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import RepositoryClient
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._urls import ApiLayout
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._versions import (
    MAX_VERSIONS,
    newest,
    newest_first,
    older_than,
    valid_versions,
)

_TEXT = "text/plain"
_VERSION = re.compile(r"v[A-Za-z0-9.+_-]+")


class GoProxy(ApiLayout):
    """MODULE or MODULE@VERSION: the metadata of the version, go.mod, and the source."""

    api_path = "go"

    def parse(self, text: str, architecture: str = "") -> ArtifactSpec:
        """Return the artifact. Raises InputError if the text is not valid."""
        pattern = rf"([A-Za-z0-9][A-Za-z0-9._~/-]*[A-Za-z0-9])(?:@({_VERSION.pattern}))?"
        match = match_artifact(text, pattern, "MODULE or MODULE@VERSION, such as golang.org/x/text@v0.21.0")
        return ArtifactSpec(text, match[1], match[2])

    def find(self, client: RepositoryClient, artifact: ArtifactSpec, withheld: t.Collection[str] = ()) -> Release:
        """Return the release. Raises the exceptions of Ecosystem.find()."""
        module = _escape(artifact.name)
        # A proxy can serve a version without serving the list.
        document = client.get_document_or_none(f"{client.base_url}/{quote(module)}/@v/list", _TEXT)
        # The last part has the rest, which is no version.
        lines = document.body.decode("utf-8", "replace").split(maxsplit=MAX_VERSIONS + 1) if document else []
        versions = older_than(valid_versions(lines, _VERSION.pattern), withheld)
        version = artifact.version or newest(versions, semantic=True) or _latest(client, module, withheld)
        others = [other for other in newest_first(versions) if other != version]
        files = tuple(_file(client, module, version, extension) for extension in ("info", "mod", "zip"))
        fallback_files = tuple(_file(client, module, other, "mod") for other in others[:MAX_FALLBACK_FILES])
        return Release(version, files, fallback_files, index_paths=(f"{module}/@v/list",))


def _latest(client: RepositoryClient, module: str, withheld: t.Collection[str]) -> str:
    """Return the version of a module without tags, whose list is empty."""
    latest = client.get_json(f"{client.base_url}/{quote(module)}/@latest", {"Version?": str})
    version: str = latest.get("Version") or ""
    if not _VERSION.fullmatch(version) or not older_than([version], withheld):
        raise VersionNotFoundError(f"version of {module}", "")
    return version


def _file(client: RepositoryClient, module: str, version: str, extension: str) -> RemoteFile:
    path = f"{module}/@v/{_escape(version)}.{extension}"
    url = f"{client.base_url}/{quote(path, safe='/@!')}"
    return RemoteFile(f"{version}.{extension}", url, (path,), identical_upstream=extension != "info")


def _escape(text: str) -> str:
    """Return the case-insensitive form of a module path or a version that proxies use."""
    return re.sub("[A-Z]", lambda letter: f"!{letter[0].lower()}", text)
