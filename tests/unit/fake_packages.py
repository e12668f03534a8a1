# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An Artifactory that pulls packages through from an upstream, in memory, to be played by a scripted transport."""

from __future__ import annotations

import hashlib
import typing as t
from urllib.parse import unquote, urlsplit

from scripted import Play, ScriptedAnswer, ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.module_utils._http import Request
from ansible_collections.cgr.pull_through.plugins.modules import artifact_pull

ARTIFACTORY = "https://artifactory.example.com"
UPSTREAM = "https://libraries.example.net"
STORAGE = "https://storage.example.org"
KEY = "cgr"

LOGIN = {"artifactory_url": ARTIFACTORY, "artifactory_access_token": "access-token"}
DIRECT = {"upstream_url": f"{UPSTREAM}/root/", "upstream_username": "org/id", "upstream_password": "pull-token"}

# What a redirect comes with, which a cache can hold in place of what it leads to.
REDIRECT = f'<a href="{STORAGE}/signed?X-Amz-Signature=secret">Found</a>.\n\n'


class PackageIndex:
    """Files by their path on one server. Call it with a request: the others are not found.

    plays: answers to be given first, by path; each is used once, the last of a list as often as it is asked for.
    login: the Authorization that is demanded; empty for none.
    """

    def __init__(self, *, login: str = "") -> None:
        self.files: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.plays: dict[str, list[Play]] = {}
        self.login = login

    def add(self, path: str, body: bytes | str, **headers: str) -> bytes:
        """Hold a file. Headers are written with underscores."""
        content = body.encode() if isinstance(body, str) else body
        self.files[path] = (content, {name.replace("_", "-"): value for name, value in headers.items()})
        return content

    def __call__(self, request: Request) -> Play:
        path = unquote(urlsplit(request.url).path)
        if plays := self.plays.get(path):
            return plays.pop(0) if len(plays) > 1 else plays[0]
        if self.login and request.headers.get("Authorization") != self.login:
            return ScriptedAnswer(401, {"errors": [{"status": 401, "message": "Authentication is required"}]})
        if path not in self.files:
            return ScriptedAnswer(404, {"errors": [{"status": 404, "message": "Could not find resource"}]})
        body, headers = self.files[path]
        return ScriptedAnswer(200, body, {"Content-Type": "application/octet-stream", **headers})


class World:
    """An Artifactory with one repository, its configuration and its cache; its upstream; and the upstream's storage.

    cached: paths in the cache. A file that is served through the repository is there from then on, under the path that
    cache_path makes of the one that was asked for.
    """

    def __init__(self, package_type: str, home: str) -> None:
        self.home = home
        self.through = PackageIndex()
        self.upstream = PackageIndex()
        self.storage = PackageIndex()
        self.cached: set[str] = set()
        self.cache_path: t.Callable[[str], str] = lambda path: path.removeprefix(f"{home}/")
        self.config: Play = ScriptedAnswer(200, self.configuration(package_type))
        self.transport = ScriptedTransport(by=self.answer)

    @staticmethod
    def configuration(package_type: str, **changes: t.Any) -> dict[str, t.Any]:
        """Return what Artifactory tells of a repository that is set as it should be."""
        return {
            "key": KEY,
            "rclass": "remote",
            "packageType": package_type,
            "url": f"{UPSTREAM}/root/",
            "username": "org/identity",
            "allowAnyHostAuth": False,
            "bypassHeadRequests": True,
            "blockMismatchingMimeTypes": False,
            "disableUrlNormalization": True,
            "retrievalCachePeriodSecs": 7200,
            "missedRetrievalCachePeriodSecs": 1800,
            **changes,
        }

    def answer(self, request: Request) -> Play:
        path = unquote(urlsplit(request.url).path)
        if request.url.startswith(f"{STORAGE}/"):
            return self.storage(request)
        if request.url.startswith(f"{UPSTREAM}/"):
            return self.upstream(request)
        if path == "/artifactory/api/repositories/configurations":
            return ScriptedAnswer(404)  # as of a server that is too old for it
        if path.startswith("/artifactory/api/repositories/"):
            return self.config
        if path.startswith(cache := f"/artifactory/api/storage/{KEY}-cache/"):
            return ScriptedAnswer(200 if path.removeprefix(cache) in self.cached else 404, {})
        if request.method == "DELETE":
            self.cached.discard(path.removeprefix(f"/artifactory/{KEY}-cache/"))
            return ScriptedAnswer(204)
        play = self.through(request)
        if isinstance(play, ScriptedAnswer) and play.status == 200:
            self.cached.add(self.cache_path(path))
        return play

    def add(self, path: str, body: bytes | str, **headers: str) -> bytes:
        """Hold a file in both places, below the repository's home and below the upstream's root."""
        self.through.add(f"{self.home}/{path}", body, **headers)
        return self.upstream.add(f"/root/{path}", body, **headers)

    def redirect(self, path: str) -> None:
        """Have the upstream redirect to storage for one of its files, as Chainguard does."""
        body, headers = self.upstream.files.pop(f"/root/{path}")
        name = hashlib.sha256(body).hexdigest()
        self.storage.add(f"/{name}", body, **headers)
        target = {"Location": f"{STORAGE}/{name}?X-Amz-Signature=secret", "Content-Type": "text/html"}
        self.upstream.plays[f"/root/{path}"] = [ScriptedAnswer(302, REDIRECT, target)]

    def asked(self, part: str) -> list[str]:
        return [url for _method, url in self.transport.asked if part in url]


def puller(world: World, run_module: t.Callable[..., t.Any], package_type: str) -> t.Callable[..., t.Any]:
    """Return a function that runs artifact_pull over a world and returns the result."""

    def run(*artifacts: str, **options: t.Any) -> t.Any:
        options = {"repository": KEY, "package_type": package_type, **LOGIN, **options}
        return run_module(artifact_pull, world.transport, artifacts=list(artifacts), **options)

    return run
