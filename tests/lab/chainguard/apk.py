# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""apk.cgr.dev and virtualapk.cgr.dev: private and public APK packages (facts/chainguard.md#apk)."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ..simulator import Simulator
from . import blobs, credentials
from .messages import ApiError
from .package_store import compute_digest
from .state import ORGANIZATION, Chainguard, root_uid

PUBLIC_REPOSITORIES = ("chainguard", "extra-packages")


async def private(request: Request) -> Response:
    """A private package; the path begins with the organization's name, or for a public one with the repository."""
    state: Chainguard = request.app.state.simulator.chainguard
    if request.path_params["organization"] in PUBLIC_REPOSITORIES:
        return _respond(request, request.url.path)
    try:
        caller = request.state.user = credentials.authenticate_pull_token(state, request)
    except ApiError as error:
        return PlainTextResponse(error.message, 401, {"WWW-Authenticate": 'Basic realm="Chainguard APK"'})
    name, path = request.path_params["organization"], request.path_params["path"]
    if name not in state.organizations:
        return PlainTextResponse("unknown organization", 404)
    capability = "CAP_APK_BLOBS_GET" if path.endswith(".apk") else "CAP_APK_LIST"
    if capability not in state.capabilities_at(caller, root_uid(name)):
        return PlainTextResponse("forbidden", 403)
    return _respond(request, f"/apk/{path}" if name == ORGANIZATION else "")


async def public(request: Request) -> Response:
    """A public package; the path begins with the organization's UID."""
    state: Chainguard = request.app.state.simulator.chainguard
    uid, repository = request.path_params["organization"], request.path_params["repository"]
    is_public = uid in state.groups and "/" not in uid and repository in PUBLIC_REPOSITORIES
    return _respond(request, f"/{repository}/{request.path_params['path']}" if is_public else "")


def _respond(request: Request, path: str) -> Response:
    """An index directly, a package by a redirect to the object store; HEAD is never redirected."""
    file = request.app.state.simulator.chainguard.packages.find(path)
    if file is None:
        return PlainTextResponse("not found", 404)
    if file.stored and request.method == "GET":
        return Response(status_code=302, headers={"Location": blobs.url(request, "apk", compute_digest(file))})
    return Response(file.body, media_type=file.media_type)


def build(simulator: Simulator) -> dict[str, Starlette]:
    routes = {
        "apk": Route("/{organization}/{path:path}", private, name="apk.get"),
        "virtualapk": Route("/{organization}/{repository}/{path:path}", public, name="virtualapk.get"),
    }
    apps = {name: Starlette(routes=[route]) for name, route in routes.items()}
    for app in apps.values():
        app.state.simulator = simulator
    return apps
