# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NuGet feeds of version 3. Private to the collection.

Artifactory's feeds have registrations and, on many versions, no PackageBaseAddress, so both ways are known.
"""

from __future__ import annotations

import base64
import dataclasses
import typing as t

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
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import RepositoryClient
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._urls import ApiLayout
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._versions import newest, newest_first

_FLAT = "PackageBaseAddress/"
_REGISTRATION = "RegistrationsBaseUrl"


@dataclasses.dataclass(frozen=True)
class _Package:
    """Where the package of a version is, and what is promised of it."""

    url: str
    promise: Checksum | None = None


class NuGet(ApiLayout):
    """ID or ID@VERSION: the package."""

    api = "nuget/v3"
    index = "/index.json"

    def parse(self, text: str, architecture: str = "") -> ArtifactSpec:
        """Return the artifact, or raise InputError."""
        match = match_artifact(text, r"([A-Za-z0-9_][A-Za-z0-9._-]*)(?:@([0-9][A-Za-z0-9.+-]*))?", "ID or ID@VERSION")
        return ArtifactSpec(text, match[1].lower(), match[2].lower() if match[2] else None)

    def find(self, site: RepositoryClient, artifact: ArtifactSpec) -> Release:
        """Return the release. Raises VersionMissing, and what Site raises."""
        packages = _packages(site, artifact.name)
        version = artifact.version or newest(packages, semantic=True)
        if version not in packages:
            raise VersionNotFoundError(artifact.text, ", ".join(newest_first(packages)[:3]))
        others = [other for other in newest_first(packages) if other != version]
        files = [_file(site, artifact.name, one, packages[one]) for one in (version, *others[:MAX_FALLBACK_FILES])]
        return Release(version, (files[0],), tuple(files[1:]))


def _packages(site: RepositoryClient, name: str) -> dict[str, _Package]:
    """Return the packages of an ID by their version in lower case."""
    try:
        resources = {str(one["@type"]): str(one["@id"]).rstrip("/") for one in site.json(site.root)["resources"]}
        if flat := _resource(resources, _FLAT):
            base = site.rewrite_url(f"{flat}/{name}")
            versions = [str(version).lower() for version in site.json(f"{base}/index.json")["versions"]]
            return {version: _Package(f"{base}/{version}/{name}.{version}.nupkg") for version in versions}
        if registration := _resource(resources, _REGISTRATION):
            return dict(_registered(site, site.rewrite_url(f"{registration}/{name}/index.json")))
    except (KeyError, TypeError, AttributeError) as exc:
        raise InvalidContentError("content", f"a feed that is not valid ({exc}).", url=redact_url(site.root)) from exc
    raise InvalidContentError("content", "a feed that does not say where packages are.", url=redact_url(site.root))


def _resource(resources: t.Mapping[str, str], kind: str) -> str:
    """Return the URL of the newest resource of a kind; empty if there is none."""
    return max((item for item in resources.items() if item[0].startswith(kind)), default=("", ""))[1]


def _registered(site: RepositoryClient, url: str) -> t.Iterator[tuple[str, _Package]]:
    """Yield version and package of each entry of a registration, whose pages can be documents of their own."""
    for page in site.json(url)["items"]:
        leaves = page["items"] if page.get("items") else site.json(site.rewrite_url(page["@id"]))["items"]
        for leaf in leaves:
            entry = leaf["catalogEntry"]
            version = str(entry["version"]).partition("+")[0].lower()
            yield version, _Package(str(leaf["packageContent"]), _promise(entry))


def _promise(entry: t.Mapping[str, t.Any]) -> Checksum | None:
    try:
        value = base64.b64decode(str(entry.get("packageHash") or ""), validate=True).hex()
    except ValueError:
        return None
    return Checksum.of(str(entry.get("packageHashAlgorithm") or ""), value)


def _file(site: RepositoryClient, name: str, version: str, package: _Package) -> RemoteFile:
    file = f"{name}.{version}.nupkg"
    expected_checksums = (package.promise,) if package.promise else ()
    return RemoteFile(
        file, site.rewrite_url(package.url), (file, f"{name}/{version}/{file}"), expected_checksums=expected_checksums
    )
