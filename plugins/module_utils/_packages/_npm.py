# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""npm registries. Private to the collection."""

from __future__ import annotations

import base64
import typing as t
from urllib.parse import quote

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InvalidContentError
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
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._versions import newest, newest_first

# The short form of a package's document has all that is needed here.
_ACCEPT = f"application/vnd.npm.install-v1+json, {JSON};q=0.8"
_WORD = r"[A-Za-z0-9~_-][A-Za-z0-9._~-]*"


class Npm(ApiLayout):
    """NAME, @SCOPE/NAME, and either with @VERSION: the tarball."""

    api = "npm"

    def parse(self, text: str, architecture: str = "") -> ArtifactSpec:
        """Return the artifact, or raise InputError."""
        form = "NAME, NAME@VERSION, @SCOPE/NAME or @SCOPE/NAME@VERSION"
        match = match_artifact(text, rf"((?:@{_WORD}/)?{_WORD})(?:@([0-9][A-Za-z0-9.+-]*))?", form)
        return ArtifactSpec(text, match[1], match[2])

    def find(self, site: RepositoryClient, artifact: ArtifactSpec) -> Release:
        """Return the release. Raises VersionMissing, and what Site raises."""
        # As npm does, the slash after a scope is written as a part of the name.
        url = f"{site.root}/{quote(artifact.name, safe='@')}"
        document = site.json(url, _ACCEPT)
        try:
            return _release(site, artifact, document.get("versions") or {}, document.get("dist-tags") or {})
        except (KeyError, TypeError, AttributeError) as exc:
            raise InvalidContentError(
                "content", f"a document of a package that is not valid ({exc}).", url=url
            ) from exc


def _release(
    site: RepositoryClient, artifact: ArtifactSpec, versions: t.Mapping[str, t.Any], tags: t.Mapping[str, t.Any]
) -> Release:
    version = artifact.version or tags.get("latest") or newest(versions, semantic=True) or ""
    if version not in versions:
        raise VersionNotFoundError(artifact.text, ", ".join(newest_first(versions)[:3]))
    others = [other for other in newest_first(versions) if other != version]
    files = [_file(site, artifact.name, one, versions[one]["dist"]) for one in (version, *others[:MAX_FALLBACK_FILES])]
    return Release(version, (files[0],), tuple(files[1:]))


def _file(site: RepositoryClient, name: str, version: str, dist: t.Mapping[str, t.Any]) -> RemoteFile:
    url = site.rewrite_url(dist["tarball"])
    usual = f"{name}/-/{name}-{version}.tgz"
    return RemoteFile(url.rpartition("/")[2], url, (site.path(url), usual), expected_checksums=tuple(_promises(dist)))


def _promises(dist: t.Mapping[str, t.Any]) -> t.Iterator[Checksum]:
    """Yield the checksums of a tarball. integrity can hold several, in Base64; shasum is the SHA-1 of old times."""
    for word in str(dist.get("integrity") or "").split():
        algorithm, _dash, value = word.partition("?")[0].partition("-")
        try:
            promise = Checksum.of(algorithm, base64.b64decode(value, validate=True).hex())
        except ValueError:
            promise = None
        if promise:
            yield promise
    promise = Checksum.of("sha1", str(dist.get("shasum") or ""))
    if promise:
        yield promise
