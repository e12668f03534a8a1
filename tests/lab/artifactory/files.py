# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A remote repository of package files, and its handling of redirects.

See facts/artifactory.md#settings-that-chainguard-asks-for and facts/artifactory.md#upstream-failures.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import httpx

from . import maven
from .auth import Caller
from .cache import Cache, CachedFile
from .remote import MISMATCHING, NotFoundError, Remote
from .trace import record
from .upstream import REDIRECTS, Upstream

if TYPE_CHECKING:
    from .state import Artifactory

_MIME_TYPES = {
    ".gz": "application/x-gzip",
    ".html": "text/html",
    ".jar": "application/java-archive",
    ".json": "application/json",
    ".mod": "text/plain",
    ".pom": "application/x-maven-pom+xml",
    ".tgz": "application/x-gzip",
    ".xml": "application/xml",
    ".zip": "application/zip",
}
# The endings of paths whose content can change, by package type. Other files never change.
_MUTABLE = {"alpine": ("/APKINDEX.tar.gz",), "go": ("/@v/list", "/@latest"), "maven": ("/maven-metadata.xml",)}


class MismatchError(NotFoundError):
    """The upstream sent an HTML page instead of a file, and the repository blocks that."""


@dataclass(frozen=True)
class RemoteFile:
    """A file: its path in the cache and its URL upstream. `expires`: its content can change."""

    path: str
    url: str
    expires: bool = False

    @property
    def mime_type(self) -> str:
        return _MIME_TYPES.get(PurePosixPath(self.path).suffix, "application/octet-stream")


class FileUpstream(Upstream):
    """A server of files. `is_final(response)`: whether a redirect counts as the file itself."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        fields: Callable[[], Mapping[str, Any]],
        is_final: Callable[[httpx.Response], bool],
    ) -> None:
        super().__init__(http, fields)
        self._is_final = is_final

    @asynccontextmanager
    async def open(self, method: str, url: str) -> AsyncIterator[httpx.Response]:
        """The final response of the upstream with an unread body. Raises UnreachableError."""
        response = await self._follow(method, url, "*/*", self._basic_authorization())
        async with self._reading(response):
            yield response

    def _target(self, url: str, response: httpx.Response) -> str | None:
        target = None if self._is_final(response) else super()._target(url, response)
        return target if target is None or self._fields()["disableUrlNormalization"] else _normalize_url(target)


def _normalize_url(url: str) -> str:
    """An equivalent URL, which nevertheless invalidates a signature of the original."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=re.sub("//+", "/", unquote(parts.path)), query=unquote(parts.query)))


class FileRemote(Remote[Cache, FileUpstream]):
    """Cache and upstream of one remote repository of package files."""

    def __init__(self, artifactory: Artifactory, key: str) -> None:
        cache = Cache(artifactory.files, artifactory.simulator.clock.now)
        super().__init__(
            artifactory, key, cache, FileUpstream(artifactory.simulator.http, lambda: self.fields, self._accepts_html)
        )

    def below(self, path: str) -> RemoteFile:
        """The file at a path below the repository's URL."""
        moving = _MUTABLE.get(self._repository.package_type, ())
        return RemoteFile(path, f"{self.fields['url'].rstrip('/')}/{quote(path)}", f"/{path}".endswith(moving))

    # --- requests of clients; raise NotFoundError, DeniedError --------------------------------------------------------
    async def file(self, caller: Caller, remote_file: RemoteFile) -> CachedFile:
        """The file, or an expired copy of it if the upstream does not serve it."""
        self._require_access(caller, remote_file.path)
        async with self._locks[remote_file.path]:
            cached = self.cache.files.get(remote_file.path)
            if cached is not None and self._is_valid(cached):
                record(f"{self.key} has '{remote_file.path}' in its cache")
                return cached
            record(f"{self.key} retrieves '{remote_file.path}' from its upstream")
            try:
                return await self._fetch(caller, remote_file, cached)
            except NotFoundError:
                if cached is None:
                    raise
                record(f"{self.key} serves its expired copy")
                return cached

    async def cached(self, caller: Caller, remote_file: RemoteFile) -> CachedFile:
        """The file, but only from the cache and if not expired."""
        return self.get_valid(caller, remote_file.path)

    # --- rules --------------------------------------------------------------------------------------------------------
    def _require_access(self, caller: Caller, path: str) -> None:
        super()._require_access(caller, path)
        if self._repository.package_type == "maven" and not maven.handles(self.fields, path):
            raise NotFoundError

    # --- the upstream -------------------------------------------------------------------------------------------------
    async def _fetch(self, caller: Caller, remote_file: RemoteFile, cached: CachedFile | None) -> CachedFile:
        length = ""
        async with self._contacting_upstream(remote_file.path, cache_miss=cached is None):
            if not self.fields["bypassHeadRequests"]:
                async with self.upstream.open("HEAD", remote_file.url) as response:
                    self._require_usable(remote_file, response)
                    length = response.headers.get("content-length", "")
            self._require_deploy(caller, remote_file.path)
            async with self.upstream.open("GET", remote_file.url) as response:
                self._require_usable(remote_file, response)
                content = await self._artifactory.files.add_stream(response.aiter_raw())
        if cached is not None and cached.content == content:
            self.cache.confirm(cached)
            return cached
        # The length of the HEAD is the one that clients get, also if the GET had another one.
        declared = f"sha256:{content.sha256}", int(length or content.size)
        return self.cache.put(
            remote_file.path,
            content,
            remote_file.mime_type,
            remote_file.url,
            caller.name,
            expires=remote_file.expires,
            declared=declared,
        )

    def _accepts_html(self, response: httpx.Response) -> bool:
        """Whether the HTML page of a redirect counts as the response, to be blocked or taken for the file."""
        blocked = self._blocks(response.headers.get("content-type", ""))
        return _is_html(response) and (blocked or self._takes_html(response.request.method))

    def _takes_html(self, method: str) -> bool:
        """Whether the page counts as the file, or only for HEAD, whose length then stays that of the file."""
        rule = self._artifactory.settings["artifactory_redirected_head"]
        return not self.fields["bypassHeadRequests"] and (rule == "html" or (rule == "length" and method == "HEAD"))

    def _require_usable(self, remote_file: RemoteFile, response: httpx.Response) -> None:
        if (
            _is_html(response)
            and remote_file.mime_type != "text/html"
            and self._blocks(response.headers["content-type"])
        ):
            types = f"Mismatching mime types found in request: [{remote_file.mime_type}] and response: text/html"
            raise MismatchError(f"{types}, and this repo blocks text/html on mismatch")
        is_accepted = response.status_code in REDIRECTS and self._accepts_html(response)
        if response.status_code != 200 and not is_accepted:
            raise NotFoundError


def _is_html(response: httpx.Response) -> bool:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower() in MISMATCHING
