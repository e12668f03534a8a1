# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Package files under their path, /artifactory/<key>/<path>, with checksums; and what all package types share."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from . import alpine, golang, maven
from .auth import Caller
from .cache import Cache, CachedFile
from .file_response import serve
from .files import FileRemote, MismatchError, RemoteFile
from .remote import DeniedError, NotFoundError, UnreadableError, first, more_severe, attempts_in_order
from .responses import BASIC_CHALLENGE, ApiError, route
from .responses import Endpoint as ArtifactoryEndpoint
from .store import Repository

if TYPE_CHECKING:
    from .state import Artifactory

_CHECKSUMS = ("md5", "sha1", "sha256")
# How the documents of several members become one, by the end of their path. Of other files the first member's counts.
_MERGES: dict[str, Callable[[Sequence[bytes]], bytes]] = {
    "/APKINDEX.tar.gz": alpine.merge,
    "/@v/list": golang.merge,
    "/maven-metadata.xml": maven.merge,
}


Locator = Callable[[FileRemote], Awaitable[RemoteFile]]
"""What is wanted of each member: they can have the same thing in different places."""


@dataclass(frozen=True)
class RequestContext:
    """A request of a known caller to a repository of package files."""

    artifactory: Artifactory
    caller: Caller
    repository: Repository
    request: Request

    @property
    def path(self) -> str:
        return str(self.request.path_params["path"])

    def api(self, name: str) -> str:
        """Where clients find an API of the repository."""
        return f"{self.request.url.scheme}://{self.request.url.netloc}/artifactory/api/{name}/{self.repository.key}"

    def members(self) -> list[FileRemote]:
        """The remote repositories behind the key, in resolution order."""
        members = self.artifactory.members(self.repository)
        return [member for member in members if isinstance(member, FileRemote)]

    async def first(self, locate: Locator) -> CachedFile:
        """The first member's file that can be had."""

        async def cached(remote: FileRemote) -> CachedFile:
            return await remote.cached(self.caller, await locate(remote))

        async def fetched(remote: FileRemote) -> CachedFile:
            return await remote.file(self.caller, await locate(remote))

        return await first(attempts_in_order(self.members(), cached, fetched))

    async def all(self, locate: Locator) -> list[tuple[FileRemote, CachedFile]]:
        """The files of all members that have one; raises what `first` raises when none has."""
        files: list[tuple[FileRemote, CachedFile]] = []
        reason: Exception = NotFoundError()
        for remote in self.members():
            try:
                files.append((remote, await remote.file(self.caller, await locate(remote))))
            except (NotFoundError, DeniedError) as error:
                reason = more_severe(reason, error)
        if not files:
            raise reason
        return files

    def read(self, file: CachedFile) -> bytes:
        file.count_download(self.artifactory.simulator.clock.now(), self.caller.name)
        return self.artifactory.files.path(file.content).read_bytes()

    def read_json(self, file: CachedFile) -> dict[str, Any]:
        try:
            document = json.loads(self.read(file))
        except ValueError as error:
            raise UnreadableError(str(error)) from error
        if not isinstance(document, dict):
            raise UnreadableError("not an object")
        return document

    def make(self, path: str, body: bytes) -> CachedFile:
        """A file that no cache holds."""
        content, mime_type = self.artifactory.files.add(body), RemoteFile(path, "").mime_type
        return Cache(self.artifactory.files, self.artifactory.simulator.clock.now).put(path, content, mime_type, "", "")

    def serve(self, file: CachedFile) -> Response:
        return serve(self.artifactory, self.caller, self.request, file, {"X-Artifactory-Filename": file.name})


Endpoint = Callable[[RequestContext], Awaitable[Response]]


def of_type(package_type: str, endpoint: Endpoint) -> ArtifactoryEndpoint:
    """An endpoint for repositories of a package type ("" for any), whatever the class; all of them refuse alike."""

    async def handle(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
        key = request.path_params["key"]
        repository = artifactory.store.get(key)
        if repository is None or package_type not in ("", repository.package_type):
            raise ApiError(404, f"Could not find repository '{key}'")
        with _errors_as_responses(artifactory, caller):
            return await endpoint(RequestContext(artifactory, caller, repository, request))

    return handle


@contextmanager
def _errors_as_responses(artifactory: Artifactory, caller: Caller) -> Iterator[None]:
    try:
        yield
    except MismatchError as error:
        raise ApiError(artifactory.settings["artifactory_mime_mismatch_status"], str(error)) from error
    except NotFoundError as error:
        raise ApiError(404, "File not found.") from error
    except UnreadableError as error:
        raise ApiError(500, f"Could not read what the upstream sent: {error}") from error
    except DeniedError as error:
        if caller.anonymous:
            raise ApiError(401, "Authentication is required", BASIC_CHALLENGE) from error
        raise ApiError(error.status, str(error)) from error


async def download(call: RequestContext) -> Response:
    """A file, or one of its checksums, which is made of the file as it is here: the upstream is not asked for it."""
    path, _ignored, algorithm = call.path.rpartition(".")
    if path and algorithm in _CHECKSUMS:
        return PlainTextResponse(getattr((await _find(call, path)).content, algorithm))
    return call.serve(await _find(call, call.path))


async def _find(call: RequestContext, path: str) -> CachedFile:
    async def locate(remote: FileRemote) -> RemoteFile:
        return remote.below(path)

    members, merge = call.members(), next((how for end, how in _MERGES.items() if f"/{path}".endswith(end)), None)
    if merge is None or len(members) < 2 or not members[0].below(path).expires:
        return await call.first(locate)
    files = await call.all(locate)
    return call.make(path, merge([call.read(file) for _remote, file in files]))


async def _download_cached(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    """A file of `<key>-cache`, as it is: the upstream is not asked."""
    owner = artifactory.cache_owner(request.path_params["key"])
    with _errors_as_responses(artifactory, caller):
        call = RequestContext(artifactory, caller, owner, request)
        return call.serve(artifactory.remote(owner).stored(caller, call.path))


_download = of_type("", download)


async def _any(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    key = request.path_params["key"]
    is_cache = artifactory.store.get(key) is None and key.endswith("-cache")
    return await (_download_cached if is_cache else _download)(artifactory, caller, request)


def routes() -> list[BaseRoute]:
    return [
        route("/artifactory/api/go/{key}/{path:path}", of_type("go", download), kind="go.get"),  # its other address
        route("/artifactory/{key}/{path:path}", _any, kind="files.get"),
    ]
