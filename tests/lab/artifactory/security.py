# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The classic permission API, /artifactory/api/v2/security/permissions (facts/artifactory.md#permissions)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from .auth import Caller
from .grantees import require_grantees
from .permissions import Permission, Resource
from .responses import ApiError, compact, json_body, route

if TYPE_CHECKING:
    from .state import Artifactory


# The sections of this API, and their names in the Access API.
_SECTIONS = {"repo": "artifact", "build": "build", "releaseBundle": "release_bundle"}


def _from_classic(artifactory: Artifactory, body: dict[str, Any]) -> dict[str, Resource]:
    return {
        kind: artifactory.permissions.resource(kind, _resource(body[name]))
        for name, kind in _SECTIONS.items()
        if body.get(name) is not None
    }


def _resource(section: dict[str, Any]) -> Resource:
    patterns = {
        "include_patterns": section.get("include-patterns"),
        "exclude_patterns": [pattern for pattern in section.get("exclude-patterns") or [] if pattern],
    }
    actions = {
        who: {name: [word.upper() for word in words] for name, words in (granted or {}).items()}
        for who, granted in (section.get("actions") or {}).items()
    }
    return {"actions": actions, "targets": dict.fromkeys(section.get("repositories") or [], patterns)}


def _as_classic(permission: Permission) -> dict[str, Any]:
    resources = {name: permission.resources[kind] for name, kind in _SECTIONS.items() if kind in permission.resources}
    return {"name": permission.name, **{name: _section(resource) for name, resource in resources.items()}}


def _section(resource: Resource) -> dict[str, Any]:
    """A section without its empty parts."""
    patterns = next(iter(resource["targets"].values()))
    actions = {
        who: {name: [word.lower() for word in words] for name, words in granted.items()}
        for who, granted in resource["actions"].items()
        if granted
    }
    section = {
        "include-patterns": patterns["include_patterns"],
        "exclude-patterns": patterns["exclude_patterns"],
        "repositories": list(resource["targets"]),
        "actions": actions,
    }
    return {name: value for name, value in section.items() if value}


async def list_permissions(artifactory: Artifactory, _caller: Caller, request: Request) -> Response:
    return compact([{"name": name, "uri": f"{request.url}/{name}"} for name in artifactory.permissions.by_name])


async def get_permission(artifactory: Artifactory, _caller: Caller, request: Request) -> Response:
    return compact(_as_classic(artifactory.permissions.find(request.path_params["name"])))


async def write_permission(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    """POST creates a permission (409 if it exists), PUT replaces it."""
    name, creates = request.path_params["name"], request.method == "POST"
    if creates and name in artifactory.permissions.by_name:
        raise ApiError(409, f"Permission target '{name}' already exists")
    resources = _from_classic(artifactory, await json_body(request, dict))
    require_grantees(artifactory, resources)
    artifactory.permissions.by_name[name] = Permission(name, resources, caller.name, caller.name)
    return Response(status_code=201 if creates else 200)


async def delete_permission(artifactory: Artifactory, _caller: Caller, request: Request) -> Response:
    del artifactory.permissions.by_name[artifactory.permissions.find(request.path_params["name"]).name]
    return Response(status_code=200)


def routes() -> list[BaseRoute]:
    listing = "/artifactory/api/v2/security/permissions"
    by_name = f"{listing}/{{name}}"
    kind = "artifactory.permission"
    return [
        route(listing, list_permissions, kind=f"{kind}.list", allow="admin"),
        route(by_name, get_permission, kind=f"{kind}.get", allow="admin"),
        route(by_name, write_permission, kind=f"{kind}.create", methods=["POST"], allow="admin"),
        route(by_name, write_permission, kind=f"{kind}.update", methods=["PUT"], allow="admin"),
        route(by_name, delete_permission, kind=f"{kind}.delete", methods=["DELETE"], allow="admin"),
    ]
