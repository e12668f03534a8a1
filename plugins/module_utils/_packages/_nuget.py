# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NuGet feeds of version 3. Private to the collection.

Feeds of Artifactory have registrations and, in many versions, no PackageBaseAddress, so both are supported.
"""

from __future__ import annotations

import base64
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
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._versions import (
    newest,
    newest_first,
    older_than,
    valid_versions,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._shape import WORD, Listing

_MAX_PAGES = 500
_INDEX = {"resources": [{"@type": None, "@id": str}]}
_LEAF = {
    "catalogEntry": {"version": str, "packageHash?": str, "packageHashAlgorithm?": str},
    "packageContent": WORD,
}
_PAGE = {"@id?": str, "items?": [_LEAF]}
_VERSION = r"[0-9][A-Za-z0-9.+-]*"
_FLAT = "PackageBaseAddress/"
_REGISTRATION = "RegistrationsBaseUrl"
# The folders of both in the cache of Artifactory.
_CACHED_INDEXES = ("flatcontainer", "registration-semver2")


class _Package(t.NamedTuple):
    """The package of one version."""

    url: str
    checksum: Checksum | None = None


class NuGet(ApiLayout):
    """ID or ID@VERSION: the package."""

    api_path = "nuget/v3"
    index_path = "/index.json"

    def parse(self, text: str, architecture: str = "") -> ArtifactSpec:
        """Return the artifact. Raises InputError if the text is not valid."""
        match = match_artifact(text, rf"([A-Za-z0-9_][A-Za-z0-9._-]*)(?:@({_VERSION}))?", "ID or ID@VERSION")
        return ArtifactSpec(text, match[1].lower(), match[2].lower() if match[2] else None)

    def find(self, client: RepositoryClient, artifact: ArtifactSpec, withheld: t.Collection[str] = ()) -> Release:
        """Return the release. Raises the exceptions of Ecosystem.find()."""
        packages = _packages(client, artifact.name)
        packages = {version: packages[version] for version in older_than(packages, withheld)}
        version = artifact.version or newest(packages, semantic=True)
        if version not in packages:
            raise VersionNotFoundError(artifact.text, ", ".join(newest_first(packages)[:3]))
        others = [other for other in newest_first(packages) if other != version]
        file, *fallback_files = (
            _file(client, artifact.name, each, packages[each]) for each in (version, *others[:MAX_FALLBACK_FILES])
        )
        index_paths = tuple(f".nuGetV3/{kind}/{artifact.name}/index.json" for kind in _CACHED_INDEXES)
        return Release(version, (file,), tuple(fallback_files), index_paths=index_paths)


def _packages(client: RepositoryClient, name: str) -> dict[str, _Package]:
    """Return the packages of an ID by version, in lower case."""
    try:
        resources = {
            str(resource["@type"]): str(resource["@id"]).rstrip("/")
            for resource in client.get_json(client.base_url, _INDEX)["resources"]
        }
        if flat := _resource(resources, _FLAT):
            url = client.rewrite_url(f"{flat}/{name}")
            versions = valid_versions(client.get_json(f"{url}/index.json", {"versions": [str]})["versions"], _VERSION)
            return {
                version: _Package(f"{url}/{version}/{name}.{version}.nupkg") for version in map(str.lower, versions)
            }
        if registration := _resource(resources, _REGISTRATION):
            packages = dict(_registered_packages(client, client.rewrite_url(f"{registration}/{name}/index.json")))
            return {version: packages[version] for version in valid_versions(packages, _VERSION)}
    except ValueError as exc:
        message = f"the feed is something else than documented: {exc}."
        raise InvalidContentError("content", message, url=redact_url(client.base_url)) from exc
    raise InvalidContentError("content", "the feed has no resource for packages.", url=redact_url(client.base_url))


def _resource(resources: t.Mapping[str, str], kind: str) -> str:
    """Return the URL of the newest resource of a kind; empty if there is none."""
    return max((item for item in resources.items() if item[0].startswith(kind)), default=("", ""))[1]


def _registered_packages(client: RepositoryClient, url: str) -> t.Iterator[tuple[str, _Package]]:
    """Yield the version and the package of each entry of a registration. Its pages can be separate documents."""
    listing = Listing("versions", redact_url(url), max_pages=_MAX_PAGES)
    for page in client.get_json(url, {"items": [_PAGE]})["items"]:
        leaves = page.get("items")
        if not leaves:
            page_url = client.rewrite_url(page.get("@id") or "")
            leaves = client.get_json(page_url, {"items": [_LEAF]})["items"]
        listing.add(len(leaves), page.get("@id") or "")
        for leaf in leaves:
            entry = leaf["catalogEntry"]
            version = entry["version"].partition("+")[0].lower()
            yield version, _Package(leaf["packageContent"], _checksum(entry))


def _checksum(entry: t.Mapping[str, t.Any]) -> Checksum | None:
    try:
        value = base64.b64decode(str(entry.get("packageHash") or ""), validate=True).hex()
    except ValueError:
        return None
    return Checksum.from_hex(str(entry.get("packageHashAlgorithm") or ""), value)


def _file(client: RepositoryClient, name: str, version: str, package: _Package) -> RemoteFile:
    file_name = f"{name}.{version}.nupkg"
    paths = (file_name, f"{name}/{version}/{file_name}")
    expected_checksums = (package.checksum,) if package.checksum else ()
    return RemoteFile(file_name, client.rewrite_url(package.url), paths, expected_checksums=expected_checksums)
