# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The REST API of repository configurations: v1, v2, /configurations and batches.

See facts/artifactory.md#repository-endpoints and facts/artifactory.md#errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from .auth import Caller
from .fields import NUGET_DEFAULTS, PACKAGE_TYPE_ALIASES
from .responses import ApiError, Endpoint, compact, json_body, route
from .store import Repository

if TYPE_CHECKING:
    from .state import Artifactory

_PRO_ONLY = (
    "This REST API is available only in Artifactory Pro (see: jfrog.com/artifactory/features). If you are already"
    " running Artifactory Pro please make sure your server is activated with a valid license key."
)
_SUFFIX = " (local file cache)"
_PUBLIC = {"remote": ("description", "url"), "virtual": ("description", "repositories"), "local": ("description",)}


# --- views of a configuration -----------------------------------------------------------------------------------------
def _set_fields(artifactory: Artifactory, repository: Repository) -> dict[str, Any]:
    """All set fields as an administrator reads them: without null, with an encrypted password."""
    fields = {name: value for name, value in repository.fields.items() if value is not None}
    if repository.rclass != "remote":
        return fields
    if not artifactory.settings["artifactory_returns_nuget_urls"]:
        fields = {name: value for name, value in fields.items() if name not in NUGET_DEFAULTS}
    fields["contentSynchronisation"] = {**fields["contentSynchronisation"], "enabled": False}  # whatever was stored
    if artifactory.settings["artifactory_encrypt_passwords"]:
        fields["password"] = repository.password_cipher
    if artifactory.settings["artifactory_description_suffix"]:
        fields["description"] += _SUFFIX
    if fields["disableProxy"]:
        fields.pop("proxy", None)
    return fields


def _v1_view(artifactory: Artifactory, repository: Repository) -> dict[str, Any]:
    identity = {"key": repository.key, "packageType": repository.package_type}
    return {**identity, **_set_fields(artifactory, repository), "rclass": repository.rclass}


def _v2_view(artifactory: Artifactory, repository: Repository) -> dict[str, Any]:
    identity = {"key": repository.key, "packageType": repository.package_type}
    relevant = {
        name: value
        for name, value in _set_fields(artifactory, repository).items()
        if repository.schema.is_relevant(name, repository.package_type)
    }
    return {**identity, **relevant, "type": repository.rclass}


def _limited_view(repository: Repository) -> dict[str, Any]:
    """The fields that a caller reads who is no administrator."""
    public = {name: repository.fields[name] for name in _PUBLIC[repository.rclass]}
    return {"key": repository.key, "packageType": repository.package_type, **public, "rclass": repository.rclass}


def _row(artifactory: Artifactory, repository: Repository, request: Request) -> dict[str, Any]:
    own_url = f"{request.url.scheme}://{request.url.netloc}/artifactory/{repository.key}"
    return {
        "key": repository.key,
        "description": _set_fields(artifactory, repository)["description"],
        "type": repository.rclass.upper(),
        "url": repository.fields.get("url", own_url),
        "packageType": repository.package_type.capitalize(),
    }


def _vendor_type(repository: Repository) -> str:
    name = f"{repository.rclass.capitalize()}RepositoryConfiguration"
    return f"application/vnd.org.jfrog.artifactory.repositories.{name}+json"


# --- endpoints --------------------------------------------------------------------------------------------------------
async def list_repositories(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    """List the repositories that the caller may read; an unknown type or packageType gives an empty list."""
    query = request.query_params
    rows = [
        _row(artifactory, repository, request)
        for repository in artifactory.store
        if query.get("type", repository.rclass).lower() == repository.rclass
        and _package_type(query.get("packageType", repository.package_type)) == repository.package_type
        and query.get("project", repository.fields["projectKey"]) == repository.fields["projectKey"]
        and _may_list(artifactory, caller, repository)
    ]
    response = compact(rows)
    response.headers["Cache-Control"] = "no-store"
    return response


def _package_type(name: str) -> str:
    return PACKAGE_TYPE_ALIASES.get(name.lower(), name.lower())


def _may_list(artifactory: Artifactory, caller: Caller, repository: Repository) -> bool:
    """Whether the caller may read the repository, or a member of it: a virtual one has no permissions of its own."""
    members = artifactory.store.members(repository.key)
    return caller.admin or any(artifactory.permissions.allows(caller, "READ", member, "") for member in members)


async def get_v1(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    repository = artifactory.store.get(request.path_params["key"])
    if repository is None:
        raise ApiError(400, "Bad Request")
    configuration = (
        _v1_view(artifactory, repository) if _may_read(artifactory, caller, repository) else _limited_view(repository)
    )
    response = compact(configuration, media_type=_vendor_type(repository))
    response.headers["Cache-Control"] = "no-store"
    return response


def _may_read(artifactory: Artifactory, caller: Caller, repository: Repository) -> bool:
    """Whether the caller reads all fields."""
    project = repository.fields["projectKey"]
    reads_project = artifactory.settings["artifactory_project_administrators_read_settings"]
    return caller.administers(project if reads_project else None)


async def get_v2(artifactory: Artifactory, _caller: Caller, request: Request) -> Response:
    key = request.path_params["key"]
    repository = artifactory.store.get(key)
    if repository is None:
        raise ApiError(404, f"The repository {key} was not found")
    return compact(_v2_view(artifactory, repository), media_type=_vendor_type(repository))


async def configurations(artifactory: Artifactory, _caller: Caller, request: Request) -> Response:
    _require_version(artifactory, (7, 61, 3))
    classes = _words(request.query_params.get("repoType", ""))
    types = _words(request.query_params.get("packageType", ""))
    configurations_by_class: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("LOCAL", "REMOTE", "VIRTUAL", "FEDERATED")
    }
    for repository in artifactory.store:
        if (not classes or repository.rclass in classes) and (not types or repository.package_type in types):
            configurations_by_class[repository.rclass.upper()].append(_v2_view(artifactory, repository))
    return compact({**configurations_by_class, "RELEASE_BUNDLE": []})


def _words(text: str) -> list[str]:
    return [word.strip().lower() for word in text.split(",") if word.strip()]


def _require_administrator(caller: Caller, *projects: str | None) -> None:
    """Raise ApiError 403 unless the caller administers all projects of a repository: before a change, and after it."""
    if not all(map(caller.administers, projects)):
        raise ApiError(403, "Forbidden")


def _projects(artifactory: Artifactory, key: str, body: dict[str, Any]) -> list[str | None]:
    """The projects of a repository before and after an update; none if it does not exist."""
    repository = artifactory.store.get(key)
    before = repository.fields["projectKey"] if repository else None
    return [before, body.get("projectKey", before)]


async def create(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    key, position = request.path_params["key"], request.query_params.get("pos", "")
    body = await json_body(request, dict)
    _require_administrator(caller, body.get("projectKey"))
    await artifactory.finish_save(artifactory.store.create(key, body, int(position) if position.isdigit() else None))
    return PlainTextResponse(f"Successfully created repository '{key}' \n")


async def update(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    key, body = request.path_params["key"], await json_body(request, dict)
    _require_administrator(caller, *_projects(artifactory, key, body))
    if artifactory.store.get(key) is None:
        raise ApiError(400, "Bad Request")
    await artifactory.finish_save(artifactory.store.update(key, body))
    return PlainTextResponse(f"Repository {key} update successfully.")


async def delete(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    """Delete a repository with its cache. Newer versions respond in JSON; the first such version is not established."""
    key = request.path_params["key"]
    _require_administrator(caller, *_projects(artifactory, key, {}))
    if artifactory.store.get(key) is None:
        raise ApiError(404, f"Repository {key} does not exist")
    repository = artifactory.store.delete(key)
    count = artifactory.drop_remote(repository)
    content = "" if repository.rclass == "virtual" else " and all its content"
    verb = "has" if repository.rclass == "virtual" else "have"
    message = f"Repository '{key}'{content} {verb} been removed successfully."
    if artifactory.settings.version < (7, 161, 0):
        return PlainTextResponse(message)
    return compact({"repoKey": key, "statusMsg": message, "deletedArtifactsCount": count, "success": True})


async def create_batch(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    _require_version(artifactory, (7, 84, 3))
    bodies = await json_body(request, list)
    _require_administrator(caller, *[body.get("projectKey") for body in bodies] or [None])
    with artifactory.store.all_or_nothing():
        created = [artifactory.store.create(str(body.get("key", "")), body) for body in bodies]
    await artifactory.finish_save(*created)
    lines = [f"Successfully created repository '{repository.key}' \n" for repository in created]
    return PlainTextResponse("".join(lines) + "\n" if lines else "", 201)


async def update_batch(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    _require_version(artifactory, (7, 104, 2))
    bodies = await json_body(request, list)
    projects = [project for body in bodies for project in _projects(artifactory, body.get("key", ""), body)]
    if not all(map(caller.administers, projects or [None])):
        raise ApiError(403, "Only platform/project admins are allowed to update repositories")
    unknown = [str(body.get("key", "")) for body in bodies if artifactory.store.get(body.get("key", "")) is None]
    if unknown:
        return PlainTextResponse(f"No repositories found for the following keys: {', '.join(unknown)}", 404)
    with artifactory.store.all_or_nothing():
        updated = [artifactory.store.update(body["key"], body) for body in bodies]
    await artifactory.finish_save(*updated)
    return PlainTextResponse("Repositories updated successfully.")


def _require_version(artifactory: Artifactory, since: tuple[int, ...]) -> None:
    if artifactory.settings.version < since:
        raise ApiError(404, "Not Found")


# --- routes -----------------------------------------------------------------------------------------------------------
def _pro_route(
    path: str, endpoint: Endpoint, kind: str, methods: Sequence[str] = ("GET",), allow: str = "admin"
) -> Route:
    """A route that other editions reject, whatever the request."""

    async def pro_only(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
        if artifactory.settings["artifactory_edition"] not in ("pro", "enterprise_plus"):
            raise ApiError(400, _PRO_ONLY)
        return await endpoint(artifactory, caller, request)

    return route(path, pro_only, kind=kind, methods=methods, allow=allow)


def routes() -> list[BaseRoute]:
    v1, v2, kind = "/artifactory/api/repositories", "/artifactory/api/v2/repositories", "artifactory.repository"
    return [
        route(v1, list_repositories, kind="artifactory.repositories"),
        route(f"{v1}/", list_repositories, kind="artifactory.repositories"),
        _pro_route(f"{v1}/configurations", configurations, "artifactory.configurations"),
        _pro_route(f"{v1}/{{key}}", get_v1, f"{kind}.get", allow="user"),
        _pro_route(f"{v1}/{{key}}", create, f"{kind}.create", ["PUT"], allow="user"),
        _pro_route(f"{v1}/{{key}}", update, f"{kind}.update", ["POST"], allow="user"),
        _pro_route(f"{v1}/{{key}}", delete, f"{kind}.delete", ["DELETE"], allow="user"),
        _pro_route(f"{v2}/batch", create_batch, f"{kind}.create_batch", ["PUT"], allow="user"),
        _pro_route(f"{v2}/batch", update_batch, f"{kind}.update_batch", ["POST"], allow="user"),
        _pro_route(f"{v2}/{{key}}", get_v2, f"{kind}.get"),
    ]
