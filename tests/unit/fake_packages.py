# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fake servers for packages: an Artifactory that is a pull-through cache, its upstream, and the storage of the upstream."""

from __future__ import annotations

import hashlib
import typing as t
from urllib.parse import unquote, urlsplit

from scripted import Play, ScriptedResponse, ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.module_utils._http import Request
from ansible_collections.cgr.pull_through.plugins.modules import artifact_pull

ARTIFACTORY = "https://artifactory.example.com"
UPSTREAM = "https://libraries.example.net"
STORAGE = "https://storage.example.org"
KEY = "cgr"

CREDENTIALS = {"artifactory_url": ARTIFACTORY, "artifactory_access_token": "access-token"}
DIRECT = {"upstream_url": f"{UPSTREAM}/base/", "upstream_username": "org/id", "upstream_password": "pull-token"}

# The body of a redirect, which a cache can hold instead of its target.
REDIRECT = f'<a href="{STORAGE}/signed?X-Amz-Signature=secret">Found</a>.\n\n'


class PackageIndex:
    """The files of one server, by path. Calling it with a request returns the response.

    plays: responses that take precedence, by path. Each is used once, but the last one of a list is repeated.
    authorization: the required Authorization header; empty for none.
    """

    def __init__(self, *, authorization: str = "") -> None:
        self.files: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.plays: dict[str, list[Play]] = {}
        self.authorization = authorization

    def add(self, path: str, body: bytes | str, **headers: str) -> bytes:
        """Add a file. headers: with underscores instead of dashes."""
        content = body.encode() if isinstance(body, str) else body
        self.files[path] = (content, {name.replace("_", "-"): value for name, value in headers.items()})
        return content

    def __call__(self, request: Request) -> Play:
        path = unquote(urlsplit(request.url).path)
        if plays := self.plays.get(path):
            return plays.pop(0) if len(plays) > 1 else plays[0]
        if self.authorization and request.headers.get("Authorization") != self.authorization:
            return ScriptedResponse(401, {"errors": [{"status": 401, "message": "Authentication is required"}]})
        if path not in self.files:
            return ScriptedResponse(404, {"errors": [{"status": 404, "message": "Could not find resource"}]})
        body, headers = self.files[path]
        return ScriptedResponse(200, body, {"Content-Type": "application/octet-stream", **headers})


class FakeServers:
    """An Artifactory with one repository, its upstream, and the storage of the upstream.

    cached: paths in the cache. A file that the repository serves is added with the path that cache_path returns for its
    URL path. is_masked: whether the repository serves its copy of what is expired, as if the upstream denied the request.
    expiration: the response to a request that expires a path. trace: the response to a traced download. version: of Artifactory.
    """

    def __init__(self, package_type: str, repository_path: str) -> None:
        self.repository_path = repository_path
        self.repository = PackageIndex()
        self.upstream = PackageIndex()
        self.storage = PackageIndex()
        self.cached: set[str] = set()
        self.is_masked = False
        self.expiration = ScriptedResponse(200, "Completed zapping cache")
        self.trace = ScriptedResponse(404, "no trace")
        self.version = "7.111.4"
        self._hour = 10
        self._fetch_times: dict[str, str] = {}
        self._expired: set[str] = set()
        self.cache_path: t.Callable[[str], str] = lambda path: path.removeprefix(f"{repository_path}/")
        self.config: Play = ScriptedResponse(200, self.configuration(package_type))
        self.transport = ScriptedTransport(respond=self.respond)

    @staticmethod
    def configuration(package_type: str, **changes: t.Any) -> dict[str, t.Any]:
        """Return the configuration of a repository with the correct settings."""
        return {
            "key": KEY,
            "rclass": "remote",
            "packageType": package_type,
            "url": f"{UPSTREAM}/base/",
            "username": "org/identity",
            "allowAnyHostAuth": False,
            "bypassHeadRequests": True,
            "blockMismatchingMimeTypes": False,
            "disableUrlNormalization": True,
            "retrievalCachePeriodSecs": 7200,
            "missedRetrievalCachePeriodSecs": 1800,
            **changes,
        }

    def respond(self, request: Request) -> Play:
        path = unquote(urlsplit(request.url).path)
        if request.url.startswith(f"{STORAGE}/"):
            return self.storage(request)
        if request.url.startswith(f"{UPSTREAM}/"):
            return self.upstream(request)
        if path == "/artifactory/api/repositories/configurations":
            return ScriptedResponse(404)  # as an old version of Artifactory
        if path.startswith("/artifactory/api/repositories/"):
            return self.config
        if path == "/artifactory/api/system/version":
            return ScriptedResponse(200, {"version": self.version})
        if request.method == "DELETE":
            self.cached.discard(path.removeprefix(f"/artifactory/{KEY}-cache/"))
            return ScriptedResponse(204, "")
        if path.startswith(cache := f"/artifactory/api/storage/{KEY}-cache/"):
            path = path.removeprefix(cache)
            times = {"lastUpdated": self._fetch_times.get(path, "2031-01-01T00:00:00.000Z")}
            return ScriptedResponse(200, times) if path in self.cached else ScriptedResponse(404, {})
        if path.startswith(cache := f"/artifactory/api/zap/{KEY}-cache/"):
            # Artifactory gives an expired file an older time, which can be newer than the one that it had.
            self._set_time(path.removeprefix(cache))
            self._expired.add(path.removeprefix(cache))
            return self.expiration
        if request.url.endswith("?trace="):
            return self.trace
        play = self.repository(request)
        if isinstance(play, ScriptedResponse) and play.status == 200:
            self._cache(self.cache_path(path))
        return play

    def _cache(self, path: str) -> None:
        self.cached.add(path)
        if path in self._expired and not self.is_masked:
            self._set_time(path)

    def _set_time(self, path: str) -> None:
        self._hour += 1
        self._fetch_times[path] = f"2031-01-01T{self._hour}:00:00.000Z"

    def add(self, path: str, body: bytes | str, **headers: str) -> bytes:
        """Add a file to the repository and to its upstream."""
        self.repository.add(f"{self.repository_path}/{path}", body, **headers)
        return self.upstream.add(f"/base/{path}", body, **headers)

    def redirect(self, path: str) -> None:
        """Let the upstream redirect to its storage for a file, as Chainguard does."""
        body, headers = self.upstream.files.pop(f"/base/{path}")
        name = hashlib.sha256(body).hexdigest()
        self.storage.add(f"/{name}", body, **headers)
        target = {"Location": f"{STORAGE}/{name}?X-Amz-Signature=secret", "Content-Type": "text/html"}
        self.upstream.plays[f"/base/{path}"] = [ScriptedResponse(302, REDIRECT, target)]

    def requested_urls(self, part: str) -> list[str]:
        """Return the URLs of the requests that contain a text."""
        return [url for _method, url in self.transport.calls if part in url]


def create_pull(servers: FakeServers, run_module: t.Callable[..., t.Any], package_type: str) -> t.Callable[..., t.Any]:
    """Return a function that runs artifact_pull with the fake servers and returns the result."""

    def run(*artifacts: str, **options: t.Any) -> t.Any:
        options = {"repository": KEY, "package_type": package_type, **CREDENTIALS, **options}
        return run_module(artifact_pull, servers.transport, artifacts=list(artifacts), **options)

    return run
