# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker API below /v2/<key>/ and /artifactory/api/docker/<key>/v2/ (facts/artifactory.md#docker-api)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from .auth import Caller
from .cache import CachedFile
from .docker_remote import DOCKER_TYPES, DockerRemote, Pull, pull_attempts
from .file_response import serve
from .manifests import MARKER, is_marker
from .remote import BadCredentialsError, DeniedError, NotFoundError, resolve_first
from .responses import ApiError, compact, envelope, route
from .store import Repository

if TYPE_CHECKING:
    from ..simulator import Simulator
    from .state import Artifactory

T = TypeVar("T")
TOKEN_SECONDS = 9000
_API_VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}


@dataclass(frozen=True)
class UnknownItem:
    """Code, message and detail of a 404, and the noun in the message of a 403."""

    code: str
    message: str
    noun: str
    detail: dict[str, str]

    @classmethod
    def for_manifest(cls, image: str) -> UnknownItem:
        return cls(
            "MANIFEST_UNKNOWN", "The named manifest is not known to the registry.", "manifest", {"manifest": image}
        )

    @classmethod
    def for_blob(cls, digest: str) -> UnknownItem:
        return cls("BLOB_UNKNOWN", "blob unknown to registry", "blob", {"blobSum": digest})


class DockerError(Exception):
    """Carries the error response for a request that no member could serve."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


# --- one request ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class RequestContext:
    """A request of an authenticated caller to a Docker repository."""

    artifactory: Artifactory
    caller: Caller
    repository: Repository
    request: Request

    @property
    def image(self) -> str:
        return str(self.request.path_params["image"])

    @property
    def pull(self) -> Pull:
        return Pull(self.caller, self.image, self.request.headers.get("accept", ""))

    def members(self) -> list[DockerRemote]:
        """The remote repositories behind the key, in resolution order."""
        members = self.artifactory.members(self.repository)
        return [member for member in members if isinstance(member, DockerRemote)]


def _challenge(request: Request, key: str | None = None, image: str | None = None) -> Response:
    """401 with a Bearer challenge: only the realm contains the key, and realm and service contain the port."""
    port = request.url.port or {"https": 443, "http": 80}[request.url.scheme]
    service = f"{request.url.hostname}:{port}"
    path = f"/artifactory/api/docker/{key}/v2/token" if key else "/v2/token"
    value = f'Bearer realm="{request.url.scheme}://{service}{path}",service="{service}"'
    if image:
        value += f',scope="repository:{image}:pull"'
    return _error(401, "UNAUTHORIZED", "authentication required", None, {"WWW-Authenticate": value})


def _error(
    status: int, code: str, message: str, detail: dict[str, str] | None, headers: dict[str, str] | None = None
) -> Response:
    body = json.dumps({"errors": [{"code": code, "message": message, "detail": detail}]}, separators=(",", ":"))
    response = Response(body, status, {**_API_VERSION, **(headers or {})})
    response.headers["Content-Type"] = "application/json;charset=ISO-8859-1"
    return response


def _authenticate(artifactory: Artifactory, request: Request) -> Caller | None:
    """The caller, or None if a token is needed first. Raises ApiError 401 for a wrong password."""
    try:
        caller = artifactory.authenticator.caller(request)
    except ApiError:
        if request.headers.get("authorization", "").lower().startswith("bearer "):
            return None
        raise
    if caller.anonymous and not artifactory.settings["artifactory_anonymous"]:
        return None
    request.state.user = caller.name
    return caller


DockerEndpoint = Callable[[RequestContext], Awaitable[Response]]


class SubDomains:
    """ASGI middleware: maps /v2/ of a host KEY.example.com to the repository KEY, as a reverse proxy does."""

    def __init__(self, app: ASGIApp, simulator: Simulator) -> None:
        self._app, self._simulator = app, simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            key = (Request(scope).url.hostname or "").partition(".")[0]
            repository = self._simulator.artifactory.store.get(key)
            if repository and repository.package_type in DOCKER_TYPES and scope["path"].startswith("/v2/"):
                scope = {**scope, "path": f"/artifactory/api/docker/{key}{scope['path']}"}
        await self._app(scope, receive, send)


def _docker_route(path: str, endpoint: DockerEndpoint, kind: str, methods: Sequence[str] = ("GET",)) -> Route:
    async def handle(request: Request) -> Response:
        artifactory: Artifactory = request.app.state.simulator.artifactory
        key = request.path_params["key"]
        caller = _authenticate(artifactory, request)
        if caller is None:
            return _challenge(request, key, request.path_params.get("image"))
        repository = artifactory.store.get(key)
        if repository is None or repository.package_type not in DOCKER_TYPES:
            raise ApiError(404, f"Repository '{key}' does not support Docker API version v2")
        try:
            return await endpoint(RequestContext(artifactory, caller, repository, request))
        except DockerError as error:
            return error.response

    return Route(path, handle, methods=list(methods), name=kind)


async def _try_members(context: RequestContext, attempts: Iterable[Awaitable[T]], unknown: UnknownItem) -> T:
    """The result of the first attempt that succeeds. Raises DockerError."""
    try:
        return await resolve_first(attempts)
    except (NotFoundError, DeniedError, BadCredentialsError) as error:
        raise DockerError(_error_response(context, error, unknown)) from error


def _error_response(context: RequestContext, reason: Exception, unknown: UnknownItem) -> Response:
    if isinstance(reason, BadCredentialsError):
        return envelope(500, str(reason))
    if isinstance(reason, DeniedError) and context.caller.anonymous:
        return _challenge(context.request, context.repository.key, context.image)
    if isinstance(reason, DeniedError) and reason.status == 403:
        message = f"The client does not have permission for {unknown.noun}: {reason}"
        return _error(403, "UNAUTHORIZED", message, unknown.detail)
    return _error(404, unknown.code, unknown.message, unknown.detail)


# --- endpoints --------------------------------------------------------------------------------------------------------
async def ping(_context: RequestContext) -> Response:
    return Response(headers=_API_VERSION)


async def host_ping(request: Request) -> Response:
    """Ping of the whole host, without a repository."""
    if not request.app.state.simulator.artifactory.settings["artifactory_path_method"]:
        raise ApiError(400, "Unsupported docker v2 repository request for 'null'")
    caller = _authenticate(request.app.state.simulator.artifactory, request)
    return _challenge(request) if caller is None else Response(headers=_API_VERSION)


async def host_catalog(request: Request) -> Response:
    """The images of all repositories that the caller may read, with the names that clients of this host use."""
    artifactory: Artifactory = request.app.state.simulator.artifactory
    caller = _authenticate(artifactory, request)
    if caller is None:
        return _challenge(request)
    repositories = [repository for repository in artifactory.store if repository.package_type in DOCKER_TYPES]
    contexts = [RequestContext(artifactory, caller, repository, request) for repository in repositories]
    names = [f"{context.repository.key}/{image}" for context in contexts for image in await _images(context)]
    return JSONResponse({"repositories": sorted(names)}, headers=_API_VERSION)


async def token(artifactory: Artifactory, caller: Caller, _request: Request) -> Response:
    """Issue a token. The requested scope is ignored, because permissions apply where the token is used."""
    issued = artifactory.authenticator.issue(caller.name, expires_in=TOKEN_SECONDS, scope=caller.scope)
    return compact({"token": issued.jwt, "expires_in": TOKEN_SECONDS})


async def reject_token_post(_artifactory: Artifactory, _authenticate: Caller, _request: Request) -> Response:
    raise ApiError(401, "Authentication is required")


async def manifest(context: RequestContext) -> Response:
    reference = context.request.path_params["reference"]
    started = context.artifactory.simulator.clock.now()
    attempts = pull_attempts(context.members(), context.pull, reference)
    file = await _try_members(context, attempts, UnknownItem.for_manifest(context.image))
    if context.request.method == "HEAD" and reference.startswith("sha256:"):
        headers = {
            "Docker-Content-Digest": file.digest,
            "Last-Modified": formatdate(file.modified, usegmt=True),
            "X-Artifactory-Docker-Registry": context.repository.key,
        }
        response = Response(headers=headers)
        del response.headers["content-length"]  # without it and a type, containerd sends a GET
        return response
    origin = {"X-Artifactory-Filename": file.name, "X-Artifactory-Origin-Remote-Path": file.remote_url}
    # The real service ignores the conditions of the client when it asked its upstream.
    return _serve_file(context, file, origin, conditional=file.updated < started)


async def blob(context: RequestContext) -> Response:
    digest = context.request.path_params["digest"]
    fetch = context.request.method == "GET" or context.artifactory.settings["artifactory_blob_head_fills_cache"]
    attempts = (remote.blob(context.pull, digest, fetch=fetch) for remote in context.members())
    file = await _try_members(context, attempts, UnknownItem.for_blob(digest))
    return _serve_file(context, file, {})


async def tags(context: RequestContext) -> Response:
    attempts = (remote.tags(context.pull) for remote in context.members())
    names = sorted(await _try_members(context, attempts, UnknownItem.for_manifest(context.image)))
    query = context.request.query_params
    rest = [name for name in names if name > query.get("last", "")]
    count = int(query["n"]) if query.get("n", "").isdigit() else len(rest)
    headers = dict(_API_VERSION)
    if count < len(rest):  # like the real one, the link lacks the repository key
        next_query = urlencode({"last": rest[count - 1] if count else "", "n": count})
        headers["Link"] = f'</v2/{context.image}/tags/list?{next_query}>; rel="next"'
    return JSONResponse({"name": context.image, "tags": rest[:count]}, headers=headers)


async def catalog(context: RequestContext) -> Response:
    return JSONResponse({"repositories": sorted(await _images(context))}, headers=_API_VERSION)


async def _images(context: RequestContext) -> set[str]:
    return {image for remote in context.members() for image in await remote.catalog(context.caller)}


async def referrers(context: RequestContext) -> Response:
    settings, digest = context.artifactory.settings, context.request.path_params["digest"]
    if settings.version < (7, 90, 1) or not settings["artifactory_proxies_referrers"]:
        raise ApiError(404, "Not Found")
    attempts = (remote.referrers(context.pull, digest) for remote in context.members())
    index = await _try_members(context, attempts, UnknownItem.for_manifest(context.image))
    return JSONResponse(index, headers=_API_VERSION, media_type="application/vnd.oci.image.index.v1+json")


async def reject_upload(_context: RequestContext) -> Response:
    raise ApiError(400, "Unable to upload blobs to a remote repository.")


async def reject_manifest_write(context: RequestContext) -> Response:
    verb = "delete" if context.request.method == "DELETE" else "upload"
    raise ApiError(400, f"Unable to {verb} a manifest {'from' if verb == 'delete' else 'to'} a remote repository.")


def _serve_file(
    context: RequestContext, file: CachedFile, headers: dict[str, str], *, conditional: bool = True
) -> Response:
    """The response with a file, or for a marker just the headers of its blob."""
    headers = {**_API_VERSION, **headers, "Docker-Content-Digest": file.digest}
    if not is_marker(file):
        return serve(context.artifactory, context.caller, context.request, file, headers, conditional=conditional)
    return Response(
        headers={
            **headers,
            "Content-Type": file.mime_type,
            "Accept-Ranges": "bytes",
            "Content-Disposition": f'attachment; filename="{file.name.removesuffix(MARKER)}"',
            "Last-Modified": formatdate(file.modified, usegmt=True),
            "Content-Length": str(file.length),
        }
    )


def routes() -> list[BaseRoute]:
    docker_routes: list[BaseRoute] = [Route(path, host_ping, name="docker.ping") for path in ("/v2", "/v2/")]
    docker_routes.append(Route("/v2/_catalog", host_catalog, name="docker.catalog"))
    internal = "/artifactory/api/docker/{key}/v2"
    for path in ("/v2/token", f"{internal}/token"):
        docker_routes += [
            route(path, token, kind="docker.token"),
            route(path, reject_token_post, kind="docker.token", methods=["POST"], allow="all"),
        ]
    docker_routes += [_docker_route(path, ping, "docker.ping") for path in (internal, f"{internal}/")]
    for base in ("/v2/{key}", internal):
        image = f"{base}/{{image:path}}"
        docker_routes += [
            _docker_route(f"{base}/_catalog", catalog, "docker.catalog"),
            _docker_route(f"{image}/tags/list", tags, "docker.tags"),
            _docker_route(f"{image}/referrers/{{digest}}", referrers, "docker.referrers"),
            _docker_route(f"{image}/manifests/{{reference}}", manifest, "docker.manifest"),
            _docker_route(f"{image}/manifests/{{reference}}", reject_manifest_write, "docker.push", ["PUT", "DELETE"]),
            _docker_route(f"{image}/blobs/{{digest}}", blob, "docker.blob"),
            _docker_route(f"{image}/blobs/uploads/", reject_upload, "docker.push", ["POST"]),
        ]
    return docker_routes
