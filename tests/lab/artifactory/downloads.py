# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads of package files at /artifactory/<key>/<path>, with checksums, and helpers of all package types.

See facts/artifactory.md#package-types and facts/artifactory.md#virtual-repositories.
"""

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
from .docker_remote import DOCKER_TYPES, DockerRemote, Pull, pull_attempts
from .file_response import serve
from .files import FileRemote, MismatchError, RemoteFile
from .remote import (
    BadCredentialsError,
    DeniedError,
    NotFoundError,
    Remote,
    UnreadableError,
    attempts_in_order,
    choose_more_severe,
    resolve_first,
)
from .responses import BASIC_CHALLENGE, ApiError, not_simulated, route
from .responses import Endpoint as ArtifactoryEndpoint
from .store import RESERVED_KEYS, Repository
from .trace import record, recording

if TYPE_CHECKING:
    from .state import Artifactory

_CHECKSUMS = ("md5", "sha1", "sha256")
# The functions that merge documents of several members, by the end of the path. Other files come from one member.
_MERGES: dict[str, Callable[[Sequence[bytes]], bytes]] = {
    "/APKINDEX.tar.gz": alpine.merge,
    "/@v/list": golang.merge,
    "/maven-metadata.xml": maven.merge,
}


Locator = Callable[[FileRemote], Awaitable[RemoteFile]]
"""Returns where a member has a file: members can have the same file at different locations."""


@dataclass(frozen=True)
class RequestContext:
    """A request of an authenticated caller to a repository of package files."""

    artifactory: Artifactory
    caller: Caller
    repository: Repository
    request: Request

    @property
    def path(self) -> str:
        return str(self.request.path_params["path"])

    def api(self, name: str) -> str:
        """The URL of an API of this repository."""
        return f"{self.request.url.scheme}://{self.request.url.netloc}/artifactory/api/{name}/{self.repository.key}"

    def members(self) -> list[FileRemote]:
        """The remote repositories behind the key, in resolution order."""
        members = self.artifactory.members(self.repository)
        return [member for member in members if isinstance(member, FileRemote)]

    async def first(self, locate: Locator) -> CachedFile:
        """The file of the first member that serves it. Raises NotFoundError, DeniedError."""

        async def cached(remote: FileRemote) -> CachedFile:
            return await remote.cached(self.caller, await locate(remote))

        async def fetched(remote: FileRemote) -> CachedFile:
            return await remote.file(self.caller, await locate(remote))

        return await resolve_first(attempts_in_order(self.members(), cached, fetched))

    async def documents(self, locate: Locator) -> list[tuple[FileRemote, CachedFile]]:
        """The documents of a package: of the members with priority alone if one of them has it, else of all members.

        Raises NotFoundError, DeniedError if there are none.
        """
        if not self.artifactory.settings["artifactory_priority_filters_documents"]:
            return await self.all(locate)
        members = self.members()
        with_priority = [remote for remote in members if remote.has_priority]
        reason: Exception = NotFoundError()
        for group in (with_priority, [remote for remote in members if not remote.has_priority]):
            try:
                return await self._all(group, locate)
            except (NotFoundError, DeniedError) as error:
                reason = choose_more_severe(reason, error)
        raise reason

    async def all(self, locate: Locator) -> list[tuple[FileRemote, CachedFile]]:
        """The files of all members that serve it. Raises NotFoundError, DeniedError if there are none."""
        return await self._all(self.members(), locate)

    async def _all(self, members: Sequence[FileRemote], locate: Locator) -> list[tuple[FileRemote, CachedFile]]:
        files: list[tuple[FileRemote, CachedFile]] = []
        reason: Exception = NotFoundError()
        for remote in members:
            try:
                files.append((remote, await remote.file(self.caller, await locate(remote))))
            except (NotFoundError, DeniedError) as error:
                reason = choose_more_severe(reason, error)
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

    def build_file(self, path: str, body: bytes) -> CachedFile:
        """A file that is in no cache."""
        content, mime_type = self.artifactory.files.add(body), RemoteFile(path, "").mime_type
        return Cache(self.artifactory.files, self.artifactory.simulator.clock.now).put(path, content, mime_type, "", "")

    def serve(self, file: CachedFile) -> Response:
        return serve(self.artifactory, self.caller, self.request, file, {"X-Artifactory-Filename": file.name})


Endpoint = Callable[[RequestContext], Awaitable[Response]]


def make_endpoint(package_type: str, endpoint: Endpoint) -> ArtifactoryEndpoint:
    """An endpoint for repositories of a package type ("" for any) and any class."""

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
        raise ApiError(404, str(error) or "File not found.") from error
    except UnreadableError as error:
        raise ApiError(500, f"Could not read what the upstream sent: {error}") from error
    except DeniedError as error:
        if caller.anonymous:
            raise ApiError(401, "Authentication is required", BASIC_CHALLENGE) from error
        raise ApiError(error.status, str(error)) from error


async def download(context: RequestContext) -> Response:
    """Serve a file, or a checksum of it, which is computed from the cached file instead of downloaded."""
    path, _ignored, algorithm = context.path.rpartition(".")
    if path and algorithm in _CHECKSUMS:
        return PlainTextResponse(getattr((await _find(context, path)).content, algorithm))
    return context.serve(await _find(context, context.path))


async def trace(context: RequestContext, find: Callable[[RequestContext, str], Awaitable[CachedFile]]) -> Response:
    """Print the steps of a download instead of the file. The upstream is contacted as for the download."""
    head = [f"Repo Path: {context.repository.key}:{context.path}", f"User: {context.caller.label}", "Steps:"]
    with recording() as steps:
        try:
            await find(context, context.path)
            record("The file was found")
        except (NotFoundError, DeniedError, BadCredentialsError, UnreadableError) as error:
            record(f"The file was not found. {error}".rstrip())
    clock = context.artifactory.simulator.clock
    return PlainTextResponse("\n".join([*head, *(f"{clock.rfc3339()} {step}" for step in steps)]) + "\n")


async def _find(context: RequestContext, path: str) -> CachedFile:
    async def locate(remote: FileRemote) -> RemoteFile:
        return remote.below(path)

    members = context.members()
    merge = next((function for end, function in _MERGES.items() if f"/{path}".endswith(end)), None)
    if merge is None or len(members) < 2 or not members[0].below(path).expires:
        return await context.first(locate)
    files = await context.documents(locate)
    return context.build_file(path, merge([context.read(file) for _remote, file in files]))


async def _download_cached(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    """Serve a file of `<key>-cache` without contacting the upstream. An expired copy is not found."""
    owner = artifactory.cache_owner(request.path_params["key"])
    with _errors_as_responses(artifactory, caller):
        context = RequestContext(artifactory, caller, owner, request)
        return context.serve(artifactory.remote(owner).get_valid(caller, context.path))


async def _cached_image_file(context: RequestContext) -> Response:
    """Serve a manifest or layer by its path in the cache of the first member that has it."""
    attempts = (_get_valid(context, remote) for remote in context.artifactory.members(context.repository))
    return context.serve(await resolve_first(attempts))


async def _get_valid(context: RequestContext, remote: Remote[Any, Any]) -> CachedFile:
    return remote.get_valid(context.caller, context.path)


async def _find_manifest(context: RequestContext, path: str) -> CachedFile:
    """Pull the manifest at a path of the cache. Raises NotFoundError, DeniedError, BadCredentialsError."""
    image, _separator, reference = path.rpartition("/")[0].rpartition("/")
    pull = Pull(context.caller, image, context.request.headers.get("accept", ""))
    members = [member for member in context.artifactory.members(context.repository) if isinstance(member, DockerRemote)]
    return await resolve_first(pull_attempts(members, pull, reference.replace("__", ":")))


async def _download_or_trace(context: RequestContext) -> Response:
    is_traced = "trace" in context.request.query_params
    if context.repository.package_type not in DOCKER_TYPES:
        return await (trace(context, _find) if is_traced else download(context))
    if is_traced and context.artifactory.settings["artifactory_traces_images"]:
        return await trace(context, _find_manifest)
    return await _cached_image_file(context)


_download = make_endpoint("", _download_or_trace)


async def _any(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    """A file at a path. Raises ApiError 404 for an endpoint that the lab does not have."""
    key = request.path_params["key"]
    if key in RESERVED_KEYS:
        raise not_simulated(request)
    is_cache = artifactory.store.get(key) is None and key.endswith("-cache")
    return await (_download_cached if is_cache else _download)(artifactory, caller, request)


def routes() -> list[BaseRoute]:
    return [
        route("/artifactory/api/go/{key}/{path:path}", make_endpoint("go", download), kind="go.get"),
        route("/artifactory/{key}/{path:path}", _any, kind="files.get"),
    ]
