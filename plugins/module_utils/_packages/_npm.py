# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""npm registries. Private to the collection."""

from __future__ import annotations

import base64
import typing as t
from urllib.parse import quote

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
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import (
    JSON,
    RepositoryClient,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._urls import ApiLayout
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._versions import (
    newest,
    newest_first,
    older_than,
    valid_versions,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._shape import WORD, validate_shape

# The abbreviated document of a package is sufficient.
_ACCEPT = f"application/vnd.npm.install-v1+json, {JSON};q=0.8"
_VERSION = r"[0-9][A-Za-z0-9.+-]*"
_PACKAGE = {"versions?": dict, "dist-tags?": {"latest?": str}}
_MANIFEST = {"dist": {"tarball": WORD, "integrity?": str, "shasum?": str}}
_WORD = r"[A-Za-z0-9~_-][A-Za-z0-9._~-]*"


class Npm(ApiLayout):
    """NAME or @SCOPE/NAME, both optionally with @VERSION: the tarball."""

    api_path = "npm"

    def parse(self, text: str, architecture: str = "") -> ArtifactSpec:
        """Return the artifact. Raises InputError if the text is not valid."""
        syntax = "NAME, NAME@VERSION, @SCOPE/NAME or @SCOPE/NAME@VERSION"
        match = match_artifact(text, rf"((?:@{_WORD}/)?{_WORD})(?:@({_VERSION}))?", syntax)
        return ArtifactSpec(text, match[1], match[2])

    def find(self, client: RepositoryClient, artifact: ArtifactSpec, withheld: t.Collection[str] = ()) -> Release:
        """Return the release. Raises the exceptions of Ecosystem.find()."""
        # npm also encodes the slash after a scope.
        url = f"{client.base_url}/{quote(artifact.name, safe='@')}"
        document = client.get_json(url, _PACKAGE, _ACCEPT)
        manifests, tags = document.get("versions") or {}, document.get("dist-tags") or {}
        try:
            versions = older_than(valid_versions(manifests, _VERSION), withheld)
            return _release(
                client, artifact, {version: manifests[version] for version in versions}, {} if withheld else tags
            )
        except ValueError as exc:
            message = f"the document of the package is something else than documented: {exc}."
            raise InvalidContentError("content", message, url=redact_url(url)) from exc


def _release(
    client: RepositoryClient, artifact: ArtifactSpec, versions: t.Mapping[str, t.Any], tags: t.Mapping[str, t.Any]
) -> Release:
    version = artifact.version or tags.get("latest") or newest(versions, semantic=True) or ""
    if version not in versions:
        raise VersionNotFoundError(artifact.text, ", ".join(newest_first(versions)[:3]))
    others = [other for other in newest_first(versions) if other != version]
    file, *fallback_files = (
        _file(client, artifact.name, each, versions[each]) for each in (version, *others[:MAX_FALLBACK_FILES])
    )
    return Release(version, (file,), tuple(fallback_files), index_paths=(f".npm/{artifact.name}/package.json",))


def _file(client: RepositoryClient, name: str, version: str, manifest: t.Mapping[str, t.Any]) -> RemoteFile:
    # Only of the versions that are used, as a document can have thousands.
    validate_shape(manifest, _MANIFEST, f"versions.{version}")
    dist = manifest["dist"]
    url = client.rewrite_url(dist["tarball"])
    default_path = f"{name}/-/{name}-{version}.tgz"
    paths = (client.relative_path(url), default_path)
    return RemoteFile(url.rpartition("/")[2], url, paths, expected_checksums=tuple(_checksums(dist)))


def _checksums(dist: t.Mapping[str, t.Any]) -> t.Iterator[Checksum]:
    """Yield the checksums of a tarball. integrity can have several, in Base64; shasum is the older SHA-1."""
    for word in str(dist.get("integrity") or "").split():
        algorithm, _dash, value = word.partition("?")[0].partition("-")
        try:
            checksum = Checksum.from_hex(algorithm, base64.b64decode(value, validate=True).hex())
        except ValueError:
            checksum = None
        if checksum:
            yield checksum
    checksum = Checksum.from_hex("sha1", str(dist.get("shasum") or ""))
    if checksum:
        yield checksum
