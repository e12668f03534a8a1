# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and groups in both APIs, as far as permissions refer to them (facts/artifactory.md#permissions).

Users are in no group; only a token can be for groups.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from .auth import ANONYMOUS, Caller, User
from .permissions import Permission, Resource
from .responses import ApiError, compact, json_body, not_simulated, route

if TYPE_CHECKING:
    from .state import Artifactory

_CLASSIC, _ACCESS = "/artifactory/api/security", "/access/api/v2"
_NAME = {"users": "username", "groups": "group_name"}  # the field of the Access API


def require_grantees(artifactory: Artifactory, resources: dict[str, Resource]) -> None:
    """Raise ApiError 400 if the resources of a permission name users or groups that do not exist."""
    for resource in resources.values():
        for kind, names in resource["actions"].items():
            if unknown := sorted(names.keys() - _names(artifactory, kind) - {ANONYMOUS}):
                raise ApiError(
                    400, f"Permission target contains a reference to a non-existing {kind[:-1]} '{unknown[0]}'."
                )


def require_access_grantees(artifactory: Artifactory, resources: dict[str, Resource]) -> None:
    """As require_grantees, if the setting says that the Access API rejects unknown names."""
    if artifactory.settings["artifactory_access_api_rejects_unknown_grantees"]:
        require_grantees(artifactory, resources)


def _names(artifactory: Artifactory, kind: str) -> set[str]:
    return set(artifactory.authenticator.users) if kind == "users" else artifactory.groups


def _body(artifactory: Artifactory, kind: str, name: str, *, is_classic: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {"description": ""}
    if kind == "users":
        user = artifactory.authenticator.users[name]
        fields = {"email": user.email, "admin": user.admin}
    return {"name" if is_classic else _NAME[kind]: name, **fields, "realm": "internal"}


async def list_all(artifactory: Artifactory, _caller: Caller, request: Request) -> Response:
    kind, is_classic = request.path_params["kind"], request.url.path.startswith(_CLASSIC)
    _require_kind(request)
    name = "name" if is_classic else _NAME[kind]
    names = sorted(_names(artifactory, kind))
    rows = [{name: item, "uri": f"{str(request.url).partition('?')[0]}/{item}", "realm": "internal"} for item in names]
    return compact(rows if is_classic else {kind: rows})


async def get_by_name(artifactory: Artifactory, _caller: Caller, request: Request) -> Response:
    kind, name = request.path_params["kind"], request.path_params["name"]
    _require_kind(request)
    if name not in _names(artifactory, kind):
        raise ApiError(404, f"{kind[:-1].capitalize()} '{name}' does not exist")
    return compact(_body(artifactory, kind, name, is_classic=request.url.path.startswith(_CLASSIC)))


async def create(artifactory: Artifactory, _caller: Caller, request: Request) -> Response:
    """PUT of the classic API, POST of the Access API. Both are 201."""
    kind = request.path_params["kind"]
    _require_kind(request)
    fields = await json_body(request, dict)
    is_classic = "name" in request.path_params
    name = request.path_params["name"] if is_classic else str(fields.get("username") or fields.get("name") or "")
    if not name:
        raise ApiError(400, "A user or group needs a name")
    if not is_classic and name in _names(artifactory, kind):
        raise ApiError(409, f"{kind[:-1].capitalize()} '{name}' already exists")
    if kind == "users":
        password = str(fields.get("password") or secrets.token_urlsafe())
        artifactory.authenticator.users[name] = User(
            name, password, fields.get("admin") is True, str(fields.get("email") or "")
        )
    else:
        artifactory.groups.add(name)
    return compact(_body(artifactory, kind, name, is_classic=is_classic), 201)


async def delete(artifactory: Artifactory, _caller: Caller, request: Request) -> Response:
    """Delete a user or a group, also from all permissions."""
    kind, name = request.path_params["kind"], request.path_params["name"]
    await get_by_name(artifactory, _caller, request)
    if kind == "users":
        del artifactory.authenticator.users[name]
    else:
        artifactory.groups.remove(name)
    for permission in artifactory.permissions.by_name.values():
        _revoke(permission, kind, name)
    return Response(status_code=200 if request.url.path.startswith(_CLASSIC) else 204)


def _revoke(permission: Permission, kind: str, name: str) -> None:
    for resource in permission.resources.values():
        resource["actions"][kind].pop(name, None)


def _require_kind(request: Request) -> None:
    if request.path_params["kind"] not in _NAME:
        raise not_simulated(request)


def routes() -> list[BaseRoute]:
    by_name = f"{_CLASSIC}/{{kind}}/{{name}}"
    identity_routes: list[BaseRoute] = [
        route(by_name, create, kind="artifactory.grantee.create", methods=["PUT"], allow="admin"),
        route(f"{_ACCESS}/{{kind}}", create, kind="artifactory.grantee.create", methods=["POST"], allow="admin"),
    ]
    for base in (_CLASSIC, _ACCESS):
        identity_routes += [
            route(f"{base}/{{kind}}", list_all, kind="artifactory.grantee.list", allow="admin"),
            route(f"{base}/{{kind}}/{{name}}", get_by_name, kind="artifactory.grantee.get", allow="admin"),
            route(
                f"{base}/{{kind}}/{{name}}",
                delete,
                kind="artifactory.grantee.delete",
                methods=["DELETE"],
                allow="admin",
            ),
        ]
    return identity_routes
