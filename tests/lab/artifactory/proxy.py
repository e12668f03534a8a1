# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A remote Docker repository at work: what comes from its cache, what from its upstream (artifactory.md §5.3–5.5).

Freshness, the negative cache and assumed offline go by the configuration as it is at the moment of the request.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from .auth import Caller
from .cache import INDEX, Cache, CachedFile, folder_of
from .patterns import accepts
from .store import Repository
from .upstream import TokenRefusedError, UnreachableError, Upstream

if TYPE_CHECKING:
    from .state import Artifactory

_MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json,"
    " application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
_MISMATCHING = frozenset({"text/html", "application/xhtml+xml"})
_NEXT_PAGE = re.compile(r'<([^>]*)>;\s*rel="?next"?')


class NotFoundError(Exception):
    """One and the same answer for many causes."""


class DeniedError(Exception):
    """The caller may not do this; `status` is what the client gets."""

    def __init__(self, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


class BadCredentialsError(Exception):
    """The upstream's token service refused the repository's credentials."""


@dataclass(frozen=True)
class Pull:
    """Who asks for something of which image."""

    caller: Caller
    image: str
    accept: str


class Remote:
    """The running side of one remote repository."""

    def __init__(self, artifactory: Artifactory, key: str) -> None:
        self._artifactory = artifactory
        self._now = artifactory.world.clock.now
        self.key = key
        self.cache = Cache(artifactory.files, self._now)
        self.upstream = Upstream(artifactory.world.http, self._now, lambda: self._repository.fields)
        self._missed: dict[str, float] = {}
        self._offline_since: float | None = None
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def _repository(self) -> Repository:
        repository = self._artifactory.store.get(self.key)
        if repository is None:
            raise NotFoundError
        return repository

    @property
    def has_priority(self) -> bool:
        return bool(self._repository.fields["priorityResolution"])

    # --- what clients ask for; raises NotFoundError, DeniedError, BadCredentialsError ---------------------------------
    async def manifest(self, pull: Pull, reference: str) -> CachedFile:
        """The manifest of a tag or a digest; an expired copy when the upstream does not give a better one."""
        folder = folder_of(pull.image, reference)
        self._check(pull, f"{folder}/{INDEX}")
        async with self._locks[folder]:
            cached = self.cache.manifest(pull.image, reference)
            if cached is not None and self._is_fresh(cached, reference):
                return cached
            try:
                return await self._fetch_manifest(pull, reference, cached)
            except (NotFoundError, BadCredentialsError):
                if cached is None:
                    raise
                return cached

    async def cached_manifest(self, pull: Pull, reference: str) -> CachedFile:
        """The same, but only what is here and fresh."""
        self._check(pull, f"{folder_of(pull.image, reference)}/{INDEX}")
        cached = self.cache.manifest(pull.image, reference)
        if cached is None or not self._is_fresh(cached, reference):
            raise NotFoundError
        return cached

    async def blob(self, pull: Pull, digest: str, *, fetch: bool) -> CachedFile:
        """A blob that a cached manifest names. Without `fetch` its marker will do."""
        self._check(pull, folder_of(pull.image, digest))
        async with self._locks[folder_of(pull.image, digest)]:
            known = self.cache.blob(pull.image, digest)
            if known is None:
                raise NotFoundError
            return await self._fetch_blob(pull, known) if known.is_marker and fetch else known

    async def tags(self, pull: Pull) -> list[str]:
        """All tags, as the upstream lists them; without it those in the cache."""
        self._check(pull, pull.image)
        name, found, query = self._upstream_name(pull.image), [], ""
        try:
            async with self._asking(pull.image, remember=False):
                while True:
                    body, link = await self._json(f"{name}/tags/list{query}", name, pull)
                    found += body["tags"]
                    following = _NEXT_PAGE.search(link)
                    if following is None:
                        return found
                    query = f"?{urlsplit(following[1]).query}"
        except NotFoundError:
            cached = self.cache.tags(pull.image)
            if not cached:
                raise
            return cached

    async def referrers(self, pull: Pull, digest: str) -> dict[str, Any]:
        """The upstream's list; it is not cached."""
        self._check(pull, folder_of(pull.image, digest))
        name = self._upstream_name(pull.image)
        async with self._asking(pull.image, remember=False):
            body, _ignored = await self._json(f"{name}/referrers/{digest}", name, pull)
            return body

    # --- what administrators do ---------------------------------------------------------------------------------------
    def restart(self) -> None:
        """The configuration was written."""
        self._offline_since = None
        if self._artifactory.settings["artifactory_save_clears_negative_cache"]:
            self._missed.clear()

    def zap(self, path: str) -> None:
        """Expire the tags at or below a path and forget the misses there; nothing where the cache holds nothing."""
        if not self.cache.has(path):
            return
        for file in self.cache.below(path):
            file.expired = file.is_expirable
        prefix = f"{path}/" if path else ""
        self._missed = {
            missed: since for missed, since in self._missed.items() if missed != path and not missed.startswith(prefix)
        }

    # --- rules --------------------------------------------------------------------------------------------------------
    def _check(self, pull: Pull, path: str) -> None:
        repository, fields = self._repository, self._repository.fields
        if not self._artifactory.permissions.allows(pull.caller, "READ", repository, path):
            what = f"Download request for repo:path '{self.key}-cache:{path}'"
            raise DeniedError(f"{what} is forbidden for user: '{pull.caller.label}'.")
        included, excluded = fields["includesPattern"].split(","), fields["excludesPattern"].split(",")
        if fields["blackedOut"] or not accepts(included, excluded, path):
            raise NotFoundError

    def _check_deploy(self, pull: Pull, path: str) -> None:
        """Reading is not enough to fill the cache."""
        if not self._artifactory.permissions.allows(pull.caller, "WRITE", self._repository, path):
            reason = f"User {pull.caller.name} is not permitted to deploy '{path}' into '{self.key}-cache:{path}'."
            raise DeniedError(reason, self._artifactory.settings["artifactory_deploy_denied_status"])

    def _is_fresh(self, file: CachedFile, reference: str) -> bool:
        if reference.startswith("sha256:"):
            return True
        return not file.expired and self._now() - file.updated < self._repository.fields["retrievalCachePeriodSecs"]

    def _is_offline(self) -> bool:
        fields, since = self._repository.fields, self._offline_since
        assumed = since is not None and self._now() - since < fields["assumedOfflinePeriodSecs"]
        return bool(fields["offline"] or assumed)

    def _is_missed(self, path: str) -> bool:
        period = self._repository.fields["missedRetrievalCachePeriodSecs"]
        return path in self._missed and self._now() - self._missed[path] < period

    def _upstream_name(self, image: str) -> str:
        project = self._repository.fields["dockerProjectId"]
        return f"{project}/{image}" if project else image

    def _require_usable(self, response: httpx.Response, pull: Pull) -> None:
        """Anything but 200 is as good as nothing; so is a blocked web page, unless the client takes anything."""
        fields = self._repository.fields
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        excepted = (fields["mismatchingMimeTypesOverrideList"] or "").split(",")
        blocks = fields["blockMismatchingMimeTypes"] and media_type not in excepted and "*/*" not in pull.accept
        if response.status_code != 200 or (blocks and media_type in _MISMATCHING):
            raise NotFoundError

    # --- the upstream -------------------------------------------------------------------------------------------------
    @asynccontextmanager
    async def _asking(self, path: str, *, remember: bool) -> AsyncIterator[None]:
        """Around requests to the upstream: whether they are made at all, and what a failure means for later ones.

        `remember` is whether the negative cache counts: it does not while there is a copy to fall back on.
        """
        if self._is_offline() or (remember and self._is_missed(path)):
            raise NotFoundError
        try:
            yield
        except UnreachableError as error:
            self._offline_since = self._now()
            raise NotFoundError from error
        except (NotFoundError, TokenRefusedError) as error:
            if isinstance(error, TokenRefusedError) and self._tells_bad_credentials:
                raise BadCredentialsError(self._credentials_text(path, error)) from error
            if remember:
                self._missed[path] = self._now()
            raise NotFoundError from error

    @property
    def _tells_bad_credentials(self) -> bool:
        return bool(self._artifactory.settings["artifactory_bad_upstream_credentials"] == "invalid_credentials")

    def _credentials_text(self, path: str, error: TokenRefusedError) -> str:
        cause = f"Can't fetch token for repo: {self.key} realm: {error.realm} scope:{error.scope}"
        return (
            f"Invalid username/password configured for Remote Docker repository: {self.key}:"
            f" Error in getting information for '{path}/{INDEX}' (java.lang.IllegalStateException: {cause})"
        )

    async def _fetch_manifest(self, pull: Pull, reference: str, cached: CachedFile | None) -> CachedFile:
        folder, name = folder_of(pull.image, reference), self._upstream_name(pull.image)
        path = f"{name}/manifests/{reference}"
        async with self._asking(folder, remember=cached is None):
            if not self._repository.fields["bypassHeadRequests"]:
                async with self.upstream.open("HEAD", path, name, _MANIFEST_TYPES) as response:
                    self._require_usable(response, pull)
                    if cached is not None and response.headers.get("docker-content-digest") == cached.digest:
                        self.cache.confirm(cached)
                        return cached
            self._check_deploy(pull, f"{folder}/{INDEX}")
            async with self.upstream.open("GET", path, name, _MANIFEST_TYPES) as response:
                self._require_usable(response, pull)
                body, media_type = await response.aread(), response.headers.get("content-type", "")
            if reference.startswith("sha256:") and reference != f"sha256:{hashlib.sha256(body).hexdigest()}":
                raise NotFoundError
        url = self.upstream.url(path)
        return self.cache.save_manifest(pull.image, reference, body, media_type, remote_url=url, user=pull.caller.name)

    async def _fetch_blob(self, pull: Pull, marker: CachedFile) -> CachedFile:
        name = self._upstream_name(pull.image)
        async with self._asking(folder_of(pull.image, marker.digest), remember=True):
            self._check_deploy(pull, marker.path)
            async with self.upstream.open("GET", f"{name}/blobs/{marker.digest}", name) as response:
                self._require_usable(response, pull)
                content = await self._artifactory.files.add_stream(response.aiter_raw())
            if marker.digest != f"sha256:{content.sha256}":
                raise NotFoundError
        return self.cache.save_blob(pull.image, marker, content, pull.caller.name)

    async def _json(self, path: str, name: str, pull: Pull) -> tuple[dict[str, Any], str]:
        """A JSON answer of the upstream, and its Link header."""
        async with self.upstream.open("GET", path, name) as response:
            self._require_usable(response, pull)
            await response.aread()
            return response.json(), response.headers.get("link", "")
