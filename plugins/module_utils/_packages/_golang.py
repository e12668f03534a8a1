# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Go module proxies. Private to the collection.

What go.sum checks is the checksum database's promise and not the proxy's, so the proxy promises nothing by itself.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from ansible_collections.cgr.pull_through.plugins.module_utils._packages._model import (
    MAX_FALLBACK_FILES,
    ArtifactSpec,
    Release,
    RemoteFile,
    VersionNotFoundError,
    match_artifact,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import (
    JSON,
    RepositoryClient,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._urls import ApiLayout
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._versions import newest, newest_first

_TEXT = "text/plain"
_VERSION = re.compile(r"v[A-Za-z0-9.+_-]+")


class GoProxy(ApiLayout):
    """MODULE or MODULE@VERSION: what is known of the version, go.mod, and the source."""

    api = "go"

    def parse(self, text: str, architecture: str = "") -> ArtifactSpec:
        """Return the artifact, or raise InputError."""
        pattern = rf"([A-Za-z0-9][A-Za-z0-9._~/-]*[A-Za-z0-9])(?:@({_VERSION.pattern}))?"
        match = match_artifact(text, pattern, "MODULE or MODULE@VERSION, such as golang.org/x/text@v0.21.0")
        return ArtifactSpec(text, match[1], match[2])

    def find(self, site: RepositoryClient, artifact: ArtifactSpec) -> Release:
        """Return the release. Raises VersionMissing, and what Site raises."""
        module = _escaped(artifact.name)
        # A client does not need the list for a version that is known.
        listed = site.get_document_or_none(f"{site.root}/{quote(module)}/@v/list", _TEXT)
        lines = listed.body.decode("utf-8", "replace").split() if listed else []
        versions = [line for line in lines if _VERSION.fullmatch(line)]
        version = artifact.version or newest(versions, semantic=True) or _latest(site, module)
        others = [other for other in newest_first(versions) if other != version]
        files = tuple(_file(site, module, version, extension) for extension in ("info", "mod", "zip"))
        return Release(
            version, files, tuple(_file(site, module, other, "mod") for other in others[:MAX_FALLBACK_FILES])
        )


def _latest(site: RepositoryClient, module: str) -> str:
    """Return the version of a module whose list is empty, since it never had a tag."""
    version = str(site.json(f"{site.root}/{quote(module)}/@latest", JSON).get("Version"))
    if not _VERSION.fullmatch(version):
        raise VersionNotFoundError(f"version of {module}", "")
    return version


def _file(site: RepositoryClient, module: str, version: str, extension: str) -> RemoteFile:
    path = f"{module}/@v/{_escaped(version)}.{extension}"
    url = f"{site.root}/{quote(path, safe='/@!')}"
    return RemoteFile(f"{version}.{extension}", url, (path,), identical_upstream=extension != "info")


def _escaped(text: str) -> str:
    """Return a path or a version as a proxy writes it, so that servers that know no upper case can hold it."""
    return re.sub("[A-Z]", lambda letter: f"!{letter[0].lower()}", text)
