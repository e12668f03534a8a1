# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared by all endpoints of Artifactory: error format, authenticated routes, bodies and versions."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from .auth import Caller
    from .state import Artifactory

Endpoint = Callable[["Artifactory", "Caller", Request], Awaitable[Response]]
_UNAUTHENTICATED = "Authentication is required"
BASIC_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Artifactory Realm"'}


class ApiError(Exception):
    """An error response in Artifactory's format (facts/artifactory.md#errors)."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


def not_simulated(request: Request, status: int = 404) -> ApiError:
    """The error of an endpoint that the lab does not have, which must not read as a missing repository or item."""
    return ApiError(status, f"The lab does not simulate the endpoint {request.method} {request.url.path}")


def envelope(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """The error response, with the indentation of Artifactory's JSON writer."""
    body = f'{{\n  "errors" : [ {{\n    "status" : {status},\n    "message" : {json.dumps(message)}\n  }} ]\n}}'
    return Response(body, status, headers, media_type="application/json")


async def on_api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return envelope(error.status, error.message, error.headers)


def route(path: str, endpoint: Endpoint, *, kind: str, methods: Sequence[str] = ("GET",), allow: str = "user") -> Route:
    """A route that calls `endpoint(artifactory, caller, request)`. `kind` is its name in faults and request log.

    `allow` is "all", "user" (anonymous only if the setting `artifactory_anonymous` is on) or "admin".
    """

    async def handle(request: Request) -> Response:
        artifactory: Artifactory = request.app.state.simulator.artifactory
        caller = artifactory.authenticator.caller(request)
        request.state.user = caller.name
        if allow != "all" and caller.anonymous and not artifactory.settings["artifactory_anonymous"]:
            raise ApiError(401, _UNAUTHENTICATED, BASIC_CHALLENGE)
        is_access = request.url.path.startswith("/access/api/") and allow != "all"
        if is_access and not caller.by_token and not artifactory.settings["artifactory_access_accepts_passwords"]:
            raise ApiError(401, "HTTP 401 Unauthorized")
        if allow == "admin" and not caller.admin:
            # The real service asks an anonymous caller to log in.
            raise ApiError(401, _UNAUTHENTICATED, BASIC_CHALLENGE) if caller.anonymous else ApiError(403, "Forbidden")
        return await endpoint(artifactory, caller, request)

    return Route(path, handle, methods=list(methods), name=kind)


async def json_body(request: Request, expected: type) -> Any:
    """The request's JSON body. Raises ApiError 400 if it does not parse or has another type."""
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise ApiError(400, f"Unable to parse the request body: {error}") from error
    if not isinstance(body, expected):
        raise ApiError(400, "Unable to parse the request body: unexpected JSON type")
    return body


def compact(value: object, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(json.dumps(value, separators=(",", ":")), status, media_type=media_type)
