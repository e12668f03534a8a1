# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A remote Docker repository: what it serves from its cache and what from its upstream.

See facts/artifactory.md#docker-api and facts/artifactory.md#upstream-failures.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from .auth import Caller
from .cache import CachedFile
from .manifests import INDEX, ManifestCache, get_folder, is_marker
from .remote import BadCredentialsError, DeniedError, NotFoundError, Remote, attempts_in_order
from .trace import record
from .upstream import RegistryUpstream, TokenRejectedError, TokenRequest

if TYPE_CHECKING:
    from .state import Artifactory

DOCKER_TYPES = frozenset({"docker", "oci", "helmoci"})
_MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json,"
    " application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
_NEXT_PAGE = re.compile(r'<([^>]*)>;\s*rel="?next"?')


@dataclass(frozen=True)
class Pull:
    """Caller, image, and Accept header of a pull."""

    caller: Caller
    image: str
    accept: str


class DockerRemote(Remote[ManifestCache, RegistryUpstream]):
    """Cache and upstream of one remote Docker repository."""

    def __init__(self, artifactory: Artifactory, key: str) -> None:
        http, now = artifactory.simulator.http, artifactory.simulator.clock.now
        cache = ManifestCache(artifactory.files, now)
        upstream = RegistryUpstream(
            http, lambda: self.fields, self._uses_tokens, artifactory.upstream_tokens, self._token_key
        )
        super().__init__(artifactory, key, cache, upstream)

    # --- requests of clients; raise NotFoundError, DeniedError, BadCredentialsError -----------------------------------
    async def manifest(self, pull: Pull, reference: str) -> CachedFile:
        """The manifest of a tag or a digest, or an expired copy of it if the upstream does not serve it."""
        folder = get_folder(pull.image, reference)
        self._require_access(pull.caller, f"{folder}/{INDEX}")
        async with self._locks[folder]:
            cached = self.cache.manifest(pull.image, reference)
            if cached is not None and self._is_usable(cached, reference):
                return cached
            record(f"{self.key} retrieves '{folder}' from its upstream")
            try:
                return await self._fetch_manifest(pull, reference, cached)
            except (NotFoundError, BadCredentialsError):
                if cached is None:
                    raise
                record(f"{self.key} serves its expired copy")
                return cached

    async def cached_manifest(self, pull: Pull, reference: str) -> CachedFile:
        """The manifest, but only from the cache and if not expired."""
        self._require_access(pull.caller, f"{get_folder(pull.image, reference)}/{INDEX}")
        cached = self.cache.manifest(pull.image, reference)
        if cached is None or not self._is_usable(cached, reference):
            raise NotFoundError
        record(f"{self.key} has '{cached.path}' in its cache")
        return cached

    async def blob(self, pull: Pull, digest: str, *, fetch: bool) -> CachedFile:
        """A blob of a cached manifest. Without `fetch`, its marker is enough."""
        self._require_access(pull.caller, get_folder(pull.image, digest))
        async with self._locks[get_folder(pull.image, digest)]:
            blob = self.cache.blob(pull.image, digest)
            if blob is None:
                raise NotFoundError
            return await self._fetch_blob(pull, blob) if is_marker(blob) and fetch else blob

    async def tags(self, pull: Pull) -> list[str]:
        """All tags of the upstream, or the cached ones if it is not available."""
        self._require_access(pull.caller, pull.image)
        name, tags, query = self._upstream_name(pull.image), [], ""
        try:
            async with self._contacting_upstream(pull.image, cache_miss=False):
                while True:
                    body, link = await self._json(f"{name}/tags/list{query}", name, pull)
                    tags += body["tags"]
                    next_page = _NEXT_PAGE.search(link)
                    if next_page is None:
                        return tags
                    query = f"?{urlsplit(next_page[1]).query}"
        except NotFoundError:
            cached = self.cache.tags(pull.image)
            if not cached:
                raise
            return cached

    async def catalog(self, caller: Caller) -> list[str]:
        """The images that the caller may read: of the upstream, or the cached ones if that does not list its images."""
        return [image for image in await self._list_images(caller) if self._is_readable(caller, image)]

    async def _list_images(self, caller: Caller) -> list[str]:
        try:
            async with (
                self._contacting_upstream("_catalog", cache_miss=False),
                self.upstream.open("GET", "_catalog", "", scope="registry:catalog:*") as response,
            ):
                self._require_usable(response, Pull(caller, "", "*/*"))
                await response.aread()
                return list(response.json()["repositories"])
        except NotFoundError:
            return self.cache.images()

    async def referrers(self, pull: Pull, digest: str) -> dict[str, Any]:
        """The referrers of a digest from the upstream; they are not cached."""
        self._require_access(pull.caller, get_folder(pull.image, digest))
        name = self._upstream_name(pull.image)
        async with self._contacting_upstream(pull.image, cache_miss=False):
            body, _ignored = await self._json(f"{name}/referrers/{digest}", name, pull)
            return body

    # --- rules --------------------------------------------------------------------------------------------------------
    def _is_usable(self, file: CachedFile, reference: str) -> bool:
        """Whether a copy can be served. For a digest its age does not matter, because the content cannot change."""
        return reference.startswith("sha256:") or self._is_valid(file)

    def _is_readable(self, caller: Caller, path: str) -> bool:
        try:
            self._require_access(caller, path)
        except (NotFoundError, DeniedError):
            return False
        return True

    def _uses_tokens(self) -> bool:
        """Whether the repository requests bearer tokens. Types other than docker may not need the field for that."""
        always = self._artifactory.settings["artifactory_oci_token_authentication"] == "always"
        return bool(self.fields["enableTokenAuthentication"] or (always and self._repository.package_type != "docker"))

    def _token_key(self, request: TokenRequest) -> tuple[str, ...]:
        """The key of a cached upstream token. A setting decides whether the credentials are part of it."""
        key = (self.key, request.realm, request.service, request.scope)
        if not self._artifactory.settings["artifactory_upstream_token_by_credentials"]:
            return key
        return (*key, self.fields["username"], self.fields["password"])

    def _upstream_name(self, image: str) -> str:
        project = self.fields["dockerProjectId"]
        return f"{project}/{image}" if project else image

    def _require_usable(self, response: httpx.Response, pull: Pull) -> None:
        """Raise NotFoundError for a status other than 200 and a blocked HTML page, unless the client accepts `*/*`."""
        blocked = "*/*" not in pull.accept and self._blocks(response.headers.get("content-type", ""))
        if response.status_code != 200 or blocked:
            raise NotFoundError

    # --- the upstream -------------------------------------------------------------------------------------------------
    @asynccontextmanager
    async def _contacting_upstream(self, path: str, *, cache_miss: bool) -> AsyncIterator[None]:
        """As in Remote, and turn a rejection by the token service into BadCredentialsError or NotFoundError."""
        async with super()._contacting_upstream(path, cache_miss=cache_miss):
            try:
                yield
            except TokenRejectedError as error:
                if self._artifactory.settings["artifactory_bad_upstream_credentials"] == "invalid_credentials":
                    raise BadCredentialsError(self._credentials_text(path, error)) from error
                raise NotFoundError from error

    def _credentials_text(self, path: str, error: TokenRejectedError) -> str:
        cause = f"Can't fetch token for repo: {self.key} realm: {error.realm} scope:{error.scope}"
        return (
            f"Invalid username/password configured for Remote Docker repository: {self.key}:"
            f" Error in getting information for '{path}/{INDEX}' (java.lang.IllegalStateException: {cause})"
        )

    async def _fetch_manifest(self, pull: Pull, reference: str, cached: CachedFile | None) -> CachedFile:
        folder, name = get_folder(pull.image, reference), self._upstream_name(pull.image)
        path = f"{name}/manifests/{reference}"
        async with self._contacting_upstream(folder, cache_miss=cached is None):
            if not self.fields["bypassHeadRequests"]:
                async with self.upstream.open("HEAD", path, name, _MANIFEST_TYPES) as response:
                    self._require_usable(response, pull)
                    if cached is not None and response.headers.get("docker-content-digest") == cached.digest:
                        self.cache.confirm(cached)
                        return cached
            self._require_deploy(pull.caller, f"{folder}/{INDEX}")
            async with self.upstream.open("GET", path, name, _MANIFEST_TYPES) as response:
                self._require_usable(response, pull)
                body, media_type = await response.aread(), response.headers.get("content-type", "")
            if reference.startswith("sha256:") and reference != f"sha256:{hashlib.sha256(body).hexdigest()}":
                raise NotFoundError
        url = self.upstream.url(path)
        return self.cache.save_manifest(pull.image, reference, body, media_type, remote_url=url, user=pull.caller.name)

    async def _fetch_blob(self, pull: Pull, marker: CachedFile) -> CachedFile:
        name = self._upstream_name(pull.image)
        async with self._contacting_upstream(get_folder(pull.image, marker.digest), cache_miss=True):
            self._require_deploy(pull.caller, marker.path)
            async with self.upstream.open("GET", f"{name}/blobs/{marker.digest}", name) as response:
                self._require_usable(response, pull)
                content = await self._artifactory.files.add_stream(response.aiter_raw())
            if marker.digest != f"sha256:{content.sha256}":
                raise NotFoundError
        return self.cache.save_blob(pull.image, marker, content, pull.caller.name)

    async def _json(self, path: str, name: str, pull: Pull) -> tuple[dict[str, Any], str]:
        """A JSON response of the upstream and its Link header."""
        async with self.upstream.open("GET", path, name) as response:
            self._require_usable(response, pull)
            await response.aread()
            return response.json(), response.headers.get("link", "")


def pull_attempts(members: Sequence[DockerRemote], pull: Pull, reference: str) -> Iterator[Awaitable[CachedFile]]:
    """Attempts to pull a manifest: from the caches of all members, then from their upstreams."""
    return attempts_in_order(
        members,
        lambda remote: remote.cached_manifest(pull, reference),
        lambda remote: remote.manifest(pull, reference),
    )
