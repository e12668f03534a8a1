# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The REST gateway of the API: parameters, bodies, callers, responses, errors (facts/chainguard.md#api-gateway)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ..simulator import Simulator
from . import roles
from .messages import (
    HTTP_STATUS,
    INVALID_ARGUMENT,
    PERMISSION_DENIED,
    UNAUTHENTICATED,
    ApiError,
    drop_unset,
    to_camel_case,
)
from .state import API_AUDIENCE, ISSUER, Chainguard, audiences, is_within


class Parameters:
    """Query or form parameters in camel case or snake case; unknown ones are ignored."""

    def __init__(self, items: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in items:
            self._values.setdefault(to_camel_case(name), []).append(value)

    def all(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def text(self, name: str) -> str:
        return (self.all(name) or [""])[-1]

    def number(self, name: str) -> int:
        try:
            return int(self.text(name) or 0)
        except ValueError as error:
            raise _unparsable(name, "Int", self.text(name)) from error

    def flag(self, name: str) -> bool:
        value = self.text(name)
        if value not in ("", "0", "1", "t", "f", "true", "false", "True", "False", "TRUE", "FALSE", "T", "F"):
            raise _unparsable(name, "Bool", value)
        return value.lower() in ("1", "t", "true")


def _unparsable(name: str, kind: str, value: str) -> ApiError:
    field = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    reason = f'strconv.Parse{kind}: parsing "{value}": invalid syntax'
    return ApiError(INVALID_ARGUMENT, f'parsing field "{field}": {reason}')


@dataclass
class RequestContext:
    """One authenticated request. `uid` is the UID of the path, `claims` are those of the caller's token."""

    state: Chainguard
    uid: str
    parameters: Parameters
    body: Any
    claims: dict[str, Any]

    @property
    def caller(self) -> str:
        return str(self.claims.get("sub", ""))

    def require(self, capability: str, at: str) -> None:
        """Raise ApiError unless the caller has a capability at a UID."""
        if capability not in self.state.capabilities_at(self.caller, at):
            raise missing_capability(capability, at)

    def groups_with(self, capability: str, at: str = "") -> list[str]:
        """The groups in which the caller has a capability. Raises ApiError if none of them contains `at`."""
        grants = self.state.grants(self.caller)
        groups = [group for group, capabilities in grants.items() if capability in capabilities]
        if not groups or (at and not any(is_within(at, group) for group in groups)):
            raise missing_capability(capability, at or "any group")
        return groups


def missing_capability(capability: str, at: str) -> ApiError:
    message = f"caller does not have the required capabilities at {at}: {roles.dotted(capability)}"
    return ApiError(PERMISSION_DENIED, message)


Handler = Callable[[RequestContext], Any]


def route(path: str, method: str, kind: str, handler: Handler, *, public: bool = False) -> Route:
    """A route whose handler takes a RequestContext and returns the JSON value. A `public` route needs no token."""

    async def endpoint(request: Request) -> Response:
        state: Chainguard = request.app.state.simulator.chainguard
        parameters = Parameters(request.query_params.multi_items())
        body = await _body(request) if method in ("POST", "PATCH") else {}
        claims = {} if public else authenticate(state, request)
        request.state.user = claims.get("sub", "")
        result = handler(RequestContext(state, request.path_params.get("uid", ""), parameters, body, claims))
        return respond(request, result)

    return Route(path, endpoint, methods=[method], name=kind)


async def _body(request: Request) -> Any:
    raw = await request.body()
    try:
        return json.loads(raw) if raw else {}
    except ValueError as error:
        raise ApiError(INVALID_ARGUMENT, f"invalid JSON: {error}") from error


def bearer(request: Request) -> str:
    """The bearer token of a request, or an empty string."""
    scheme, _ignored, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def authenticate(state: Chainguard, request: Request) -> dict[str, Any]:
    """The claims of the caller's API token. Raises ApiError if it is missing or not valid."""
    token = bearer(request)
    if not token:
        raise ApiError(UNAUTHENTICATED, "missing bearer token")
    try:
        claims = state.authority.verify(token, state.simulator.clock.now())
    except ValueError as error:
        raise ApiError(UNAUTHENTICATED, f"invalid token: {error}") from error
    if claims.get("iss") != ISSUER or API_AUDIENCE not in audiences(claims):
        raise ApiError(UNAUTHENTICATED, "invalid token: issuer or audience is not accepted")
    return claims


def respond(request: Request, result: Any) -> Response:
    omit = request.app.state.simulator.settings["omit_unpopulated"]
    return JSONResponse(drop_unset(result) if omit else result)


async def _on_api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body, HTTP_STATUS[error.code])


async def _on_http_error(_request: Request, error: Exception) -> Response:
    """The gateway's own messages for an unknown path and a wrong method."""
    assert isinstance(error, HTTPException)
    code, status, message = (12, 501, "Method Not Allowed") if error.status_code == 405 else (5, 404, "Not Found")
    return JSONResponse({"code": code, "message": message, "details": []}, status)


def application(simulator: Simulator, routes: list[BaseRoute]) -> Starlette:
    app = Starlette(routes=routes, exception_handlers={ApiError: _on_api_error, HTTPException: _on_http_error})
    app.router.redirect_slashes = False
    app.state.simulator = simulator
    return app
