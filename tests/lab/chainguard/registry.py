# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry cgr.dev: its token service and OCI pulls.

See facts/chainguard.md#registry and facts/registry.md#what-a-failed-pull-can-mean.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .. import images
from ..simulator import Simulator, get_origin
from . import blobs, sts
from .credentials import parse_basic
from .gateway import bearer
from .messages import INVALID_ARGUMENT, ApiError
from .state import ISSUER, PUBLIC, REGISTRY_AUDIENCE, Chainguard, Repository, audiences

TOKEN_SECONDS = 300
FREE_TAGS = {"latest", "latest-dev"}
CATALOG = "registry:catalog:*"
MAX_HISTORY = 1000
VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}


class OciError(Exception):
    """An error response in the registry's format."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}


FORBIDDEN = OciError(403, "FORBIDDEN", "Forbidden")


def _state(request: Request) -> Chainguard:
    state: Chainguard = request.app.state.simulator.chainguard
    return state


def _host(request: Request) -> str:
    return request.headers["host"]


# --- token service -------------------------------------------------------------------------------------------------


async def token(request: Request) -> Response:
    """Issue a short-lived token for the first requested scope: a repository or the catalog."""
    state = _state(request)
    scope = " ".join(request.query_params.getlist("scope")).partition(" ")[0]
    caller = request.state.user = _credentials(state, request, pulling=bool(scope))
    if not (scope or caller):
        raise FORBIDDEN
    access = [_grant(state, caller, scope)] if scope else []
    now = int(state.simulator.clock.now())
    claims = {"iss": ISSUER, "sub": caller, "aud": REGISTRY_AUDIENCE, "iat": now, "exp": now + TOKEN_SECONDS}
    return JSONResponse({"token": state.authority.sign({**claims, "access": access}), "expires_in": TOKEN_SECONDS})


def _credentials(state: Chainguard, request: Request, *, pulling: bool) -> str:
    """The UID of the identity whose credentials the request has, empty for anonymous."""
    try:
        credentials = parse_basic(request)
    except ValueError as error:
        raise FORBIDDEN from error
    if not credentials:
        return ""
    username, password = credentials
    if username == "_token":
        claims = _verify(state, password, FORBIDDEN)
        if REGISTRY_AUDIENCE not in audiences(claims):
            raise FORBIDDEN
        return str(claims["sub"])
    try:
        sts.authenticate(state, username, password)
    except ApiError as error:
        if error.code == INVALID_ARGUMENT and pulling:
            raise OciError(400, "BAD_REQUEST", error.message) from error
        raise FORBIDDEN from error
    return username


def _verify(state: Chainguard, encoded: str, failure: OciError) -> dict[str, Any]:
    try:
        return state.authority.verify(encoded, state.simulator.clock.now())
    except ValueError as error:
        raise failure from error


def _grant(state: Chainguard, caller: str, scope: str) -> dict[str, Any]:
    kind, _ignored, rest = scope.partition(":")
    name = rest.rpartition(":")[0]
    anonymous = OciError(401, "UNAUTHORIZED", "Authentication required")
    if kind == "repository" and name:
        organization = name.partition("/")[0]
        if organization not in state.organizations:
            problem = f"unable to resolve {organization}"
            raise OciError(400, "BAD_REQUEST", f"rpc error: code = InvalidArgument desc = {problem}")
        if not state.may_pull(caller, name):
            raise FORBIDDEN if caller or organization == PUBLIC else anonymous
    elif scope != CATALOG:
        raise OciError(400, "BAD_REQUEST", f"unsupported scope {scope}")
    elif not caller:
        raise anonymous
    return {"type": kind, "name": name, "actions": ["*" if scope == CATALOG else "pull"]}


# --- protocol ------------------------------------------------------------------------------------------------------


def _challenge(request: Request, scope: str, problem: str = "") -> OciError:
    host = _host(request)
    parts = {"realm": f"{get_origin(request)}/token", "service": host, "scope": scope, "error": problem}
    header = "Bearer " + ",".join(f'{name}="{value}"' for name, value in parts.items() if value)
    return OciError(401, "UNAUTHORIZED", "Authentication required", {"WWW-Authenticate": header})


def _authorize(request: Request, scope: str) -> dict[str, Any]:
    """The claims of a token of the token service or the STS. Raises OciError if it is not valid for the scope."""
    state = _state(request)
    encoded = bearer(request)
    if not encoded:
        raise _challenge(request, scope)
    claims = _verify(state, encoded, _challenge(request, scope, "invalid_token"))
    request.state.user = claims["sub"]
    identity_checked = state.simulator.settings["registry_checks_identity"] and "/" in claims["sub"]
    if identity_checked and claims["sub"] not in state.identities:
        raise _challenge(request, scope, "invalid_token")
    if REGISTRY_AUDIENCE not in audiences(claims):
        raise FORBIDDEN
    granted = [f"{grant['type']}:{grant['name']}:{grant['actions'][0]}" for grant in claims.get("access", [])]
    if "access" in claims and scope and scope not in granted:
        raise OciError(403, "FORBIDDEN", f"token is not valid for {scope}")
    return claims


def _repository(request: Request) -> Repository:
    """The repository that the path names. Raises OciError if the caller may not pull it."""
    state, name = _state(request), request.path_params["name"]
    claims = _authorize(request, f"repository:{name}:pull")
    request.state.anonymous = not claims["sub"]
    if "access" not in claims and not state.may_pull(claims["sub"], name):
        raise OciError(403, "FORBIDDEN", f"caller does not have the required capabilities at {name}")
    if name not in state.repositories:
        raise OciError(404, "NAME_UNKNOWN", f"repository does not exist: {name}")
    return state.repositories[name]


def _visible_tags(request: Request, repository: Repository) -> list[str]:
    """All tags, or those of the newest builds for an anonymous caller."""
    return sorted(tag for tag in repository.tags if not request.state.anonymous or tag in FREE_TAGS)


async def ping(request: Request) -> Response:
    _authorize(request, "")
    return JSONResponse({})


async def manifest(request: Request) -> Response:
    repository, reference = _repository(request), request.path_params["reference"]
    digest = repository.tags[reference] if reference in _visible_tags(request, repository) else reference
    content = repository.manifests.get(digest)
    if not content:
        raise OciError(404, "MANIFEST_UNKNOWN", f"unknown manifest: {reference}")
    accepted = {part.partition(";")[0].strip() for part in ",".join(request.headers.getlist("accept")).split(",")}
    if not accepted & {content.media_type, "*/*"}:
        kind, plural = ("index", "indexes") if content.media_type == images.INDEX else ("manifest", "manifests")
        problem = f"OCI {kind} found, but accept header does not support OCI {plural}"
        raise OciError(404, "MANIFEST_UNKNOWN", problem)
    headers = {"Docker-Content-Digest": digest, "ETag": f'"{digest}"', "Content-Type": content.media_type}
    return Response(content.body, headers=headers)


async def blob(request: Request) -> Response:
    """Redirect to a pre-signed URL on another host. It is for GET, so a redirected HEAD fails there."""
    repository, digest = _repository(request), request.path_params["digest"]
    if digest not in repository.blobs:
        raise OciError(404, "BLOB_UNKNOWN", f"unknown blob: {digest}")
    if request.method == "HEAD" and _state(request).simulator.settings["registry_blob_head"] == "served":
        body = repository.blobs[digest].body
        return Response(body, headers={"Docker-Content-Digest": digest}, media_type="application/octet-stream")
    headers = {"Location": blobs.url(request, "registry", digest), "Docker-Content-Digest": digest}
    return Response(status_code=302, headers=headers)


def _paginate(request: Request, names: list[str]) -> tuple[list[str], dict[str, str]]:
    """A page of at most `n` sorted names after `last`, and the Link header to the next page."""
    last, count = request.query_params.get("last", ""), request.query_params.get("n", "")
    if count and not count.isdecimal():
        raise OciError(400, "PAGINATION_NUMBER_INVALID", f"invalid number of results requested: {count}")
    rest = [name for name in names if name > last]
    page = rest[: int(count)] if count else rest
    if not page or len(page) == len(rest):
        return page, {}
    query = urlencode({"last": page[-1], "n": count})
    return page, {"Link": f'<{request.url.path}?{query}>; rel="next"'}


async def tags(request: Request) -> Response:
    repository = _repository(request)
    page, headers = _paginate(request, _visible_tags(request, repository))
    return JSONResponse({"name": repository.name, "tags": page}, headers=headers)


async def referrers(request: Request) -> Response:
    """The signatures that a test added; no image is signed at start."""
    signatures = _repository(request).referrers.get(request.path_params["digest"], [])
    manifests = [signature.descriptor(artifactType=images.BUNDLE) for signature in signatures]
    index = {"schemaVersion": 2, "mediaType": images.INDEX, "manifests": manifests}
    return JSONResponse(index, media_type=images.INDEX)


async def history(request: Request) -> Response:
    repository, tag = _repository(request), request.path_params["tag"]
    if tag not in _visible_tags(request, repository):
        raise OciError(404, "MANIFEST_UNKNOWN", f"unknown tag: {tag}")
    clock = request.app.state.simulator.clock
    records = [
        {"updateTimestamp": clock.rfc3339(when), "digest": digest}
        for name, when, digest in repository.history
        if name == tag
    ]
    return JSONResponse({"history": records[-MAX_HISTORY:]})


async def catalog(request: Request) -> Response:
    state, claims = _state(request), _authorize(request, CATALOG)
    names = [name for name in sorted(state.repositories) if claims["sub"] and state.may_pull(claims["sub"], name)]
    page, headers = _paginate(request, names)
    return JSONResponse({"repositories": page}, headers=headers)


# --- application ---------------------------------------------------------------------------------------------------


async def _on_oci_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, OciError)
    body = {"errors": [{"code": error.code, "message": error.message}]}
    return JSONResponse(body, error.status, {**VERSION, **error.headers})


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return await _on_oci_error(request, OciError(405, "UNSUPPORTED", "The operation is unsupported."))
    return await _on_oci_error(request, OciError(404, "NOT_FOUND", "page not found"))


def _route(path: str, kind: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
    async def versioned(request: Request) -> Response:
        response = await endpoint(request)
        response.headers.update(VERSION)
        return response

    return Route(path, versioned, name=kind)


def build(simulator: Simulator) -> Starlette:
    routes = [
        Route("/token", token, name="registry.token"),
        _route("/v2/", "registry.ping", ping),
        _route("/v2/_catalog", "registry.catalog", catalog),
        _route("/v2/{name:path}/manifests/{reference}", "registry.manifest", manifest),
        _route("/v2/{name:path}/blobs/{digest}", "registry.blob", blob),
        _route("/v2/{name:path}/tags/list", "registry.tags", tags),
        _route("/v2/{name:path}/referrers/{digest}", "registry.referrers", referrers),
        _route("/v2/{name:path}/_chainguard/history/{tag}", "registry.history", history),
    ]
    app = Starlette(routes=routes, exception_handlers={OciError: _on_oci_error, HTTPException: _on_http_error})
    app.router.redirect_slashes = False
    app.state.simulator = simulator
    return app
