# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Access API: ping, version, access tokens and permissions.

See facts/artifactory.md#authentication and facts/artifactory.md#permissions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from .auth import SCOPE_ADMIN, SCOPE_USER, Caller, Token, parse_groups
from .grantees import require_access_grantees
from .permissions import RESOURCES, Permission
from .responses import ApiError, compact, json_body, route

if TYPE_CHECKING:
    from .state import Artifactory


async def ping(artifactory: Artifactory, _caller: Caller, _request: Request) -> Response:
    if artifactory.settings["artifactory_access_ping"] == "text":
        return PlainTextResponse("OK")
    return compact({"status": "UP"})


async def version(artifactory: Artifactory, _caller: Caller, _request: Request) -> Response:
    return compact({"name": artifactory.settings["artifactory_version"]})


async def create_token(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    """Create a token from JSON or a form. Only an administrator may choose another user or scope."""
    fields = await _token_fields(request)
    username = str(fields.get("username") or caller.name)
    scope = str(fields.get("scope") or SCOPE_USER)
    if caller.anonymous or (not caller.admin and (username != caller.name or scope != SCOPE_USER)):
        raise ApiError(403, "Forbidden")
    if scope not in (SCOPE_USER, SCOPE_ADMIN) and not parse_groups(scope):
        raise ApiError(400, f"Unsupported scope: {scope}")
    token = artifactory.authenticator.issue(
        username,
        expires_in=_seconds(fields.get("expires_in")),
        scope=scope,
        description=str(fields.get("description") or ""),
        refreshable=_is_true(fields.get("refreshable")),
        with_reference=_is_true(fields.get("include_reference_token")),
    )
    body: dict[str, Any] = {"token_id": token.id, "access_token": token.jwt}
    if token.reference:
        body["reference_token"] = token.reference
    if "exp" in token.claims:
        body["expires_in"] = token.claims["exp"] - token.claims["iat"]
    return compact({**body, "scope": scope, "token_type": "Bearer"})


async def _token_fields(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl((await request.body()).decode()))
    fields: dict[str, Any] = await json_body(request, dict) if await request.body() else {}
    return fields


def _seconds(value: Any) -> int:
    try:
        return int(value or 0)
    except (TypeError, ValueError) as error:
        raise ApiError(400, f"Invalid expires_in: {value}") from error


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"


async def get_token(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    return compact(_token_row(_find_token(artifactory, caller, request)))


async def list_tokens(artifactory: Artifactory, caller: Caller, _request: Request) -> Response:
    tokens = artifactory.authenticator.tokens.values()
    return compact({"tokens": [_token_row(token) for token in tokens if caller.admin or token.username == caller.name]})


async def revoke_token(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    artifactory.authenticator.revoke(_find_token(artifactory, caller, request))
    return Response(status_code=200)


def _find_token(artifactory: Artifactory, caller: Caller, request: Request) -> Token:
    """A stored token. Only an administrator sees those of other users; raises ApiError otherwise."""
    token = artifactory.authenticator.tokens.get(request.path_params["id"])
    if token is None or not (caller.admin or token.username == caller.name):
        raise ApiError(404, "Token not found")
    return token


def _token_row(token: Token) -> dict[str, Any]:
    claims = token.claims
    row: dict[str, Any] = {"token_id": token.id, "subject": claims["sub"], "issued_at": claims["iat"]}
    if "exp" in claims:
        row["expiry"] = claims["exp"]
    return {**row, "issuer": claims["iss"], "description": token.description, "refreshable": token.refreshable}


def _require_access_api(artifactory: Artifactory) -> None:
    if artifactory.settings.version < (7, 72, 0):
        raise ApiError(404, "Not Found")


async def list_permissions(artifactory: Artifactory, _caller: Caller, request: Request) -> Response:
    _require_access_api(artifactory)
    rows = [{"name": name, "uri": f"{request.url}/{name}"} for name in artifactory.permissions.by_name]
    return compact({"permissions": rows})


async def create_permission(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    _require_access_api(artifactory)
    body = await json_body(request, dict)
    name, resources = body.get("name"), body.get("resources")
    if not name or not resources or set(resources) - RESOURCES:
        raise ApiError(400, "A permission needs a name and resources")
    if name in artifactory.permissions.by_name:
        raise ApiError(409, f"Permission '{name}' already exists")
    stored = {kind: artifactory.permissions.resource(kind, value) for kind, value in resources.items()}
    require_access_grantees(artifactory, stored)
    artifactory.permissions.by_name[name] = Permission(name, stored, caller.name, caller.name)
    return compact({"name": name, "resources": stored}, 201)


async def get_permission(artifactory: Artifactory, _caller: Caller, request: Request) -> Response:
    _require_access_api(artifactory)
    permission = artifactory.permissions.find(request.path_params["name"])
    return compact(
        {
            "name": permission.name,
            "created_by": permission.created_by,
            "modified_by": permission.modified_by,
            "resources": permission.resources,
        }
    )


async def update_permission(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    _require_access_api(artifactory)
    permission, kind = artifactory.permissions.find(request.path_params["name"]), request.path_params["resource"]
    if kind not in RESOURCES:
        raise ApiError(400, f"Unknown resource type '{kind}'")
    resource = artifactory.permissions.resource(kind, await json_body(request, dict))
    require_access_grantees(artifactory, {kind: resource})
    permission.resources[kind] = resource
    permission.modified_by = caller.name
    return compact(permission.resources[kind])


async def delete_permission(artifactory: Artifactory, _caller: Caller, request: Request) -> Response:
    _require_access_api(artifactory)
    permission, kind = artifactory.permissions.find(request.path_params["name"]), request.path_params.get("resource")
    if kind is None:
        del artifactory.permissions.by_name[permission.name]
    elif permission.resources.pop(kind, None) is None:
        raise ApiError(404, f"Permission '{permission.name}' has no resource '{kind}'")
    return Response(status_code=204)


def routes() -> list[BaseRoute]:
    token_routes: list[BaseRoute] = [
        route("/access/api/v1/system/ping", ping, kind="access.ping", allow="all"),
        route("/access/api/v1/system/version", version, kind="access.version"),
    ]
    for tokens in ("/access/api/v1/tokens", "/artifactory/access/api/v1/tokens"):
        token_routes += [
            route(tokens, list_tokens, kind="access.token.list"),
            route(tokens, create_token, kind="access.token.create", methods=["POST"]),
            route(f"{tokens}/{{id}}", get_token, kind="access.token.get"),
            route(f"{tokens}/{{id}}", revoke_token, kind="access.token.delete", methods=["DELETE"]),
        ]
    listing, by_name = "/access/api/v2/permissions", "/access/api/v2/permissions/{name}"
    return [
        *token_routes,
        route(listing, list_permissions, kind="access.permission.list", allow="admin"),
        route(f"{listing}/", list_permissions, kind="access.permission.list", allow="admin"),
        route(listing, create_permission, kind="access.permission.create", methods=["POST"], allow="admin"),
        route(by_name, get_permission, kind="access.permission.get", allow="admin"),
        route(by_name, delete_permission, kind="access.permission.delete", methods=["DELETE"], allow="admin"),
        route(
            f"{by_name}/{{resource}}",
            update_permission,
            kind="access.permission.update",
            methods=["PUT"],
            allow="admin",
        ),
        route(
            f"{by_name}/{{resource}}",
            delete_permission,
            kind="access.permission.delete",
            methods=["DELETE"],
            allow="admin",
        ),
    ]
