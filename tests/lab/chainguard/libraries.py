# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""libraries.cgr.dev: language packages for pull tokens of the ecosystem (facts/chainguard.md#libraries)."""

from __future__ import annotations

from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ..packages import ORIGIN, python
from ..simulator import Simulator, get_origin
from . import blobs, credentials, roles
from .messages import ApiError
from .package_store import BLOCKLIST, COOLDOWN, MALWARE, BlockedError, compute_digest
from .state import Chainguard

# A package whose versions are all blocked.
BLOCKED_PACKAGE = "lab-malware"
REMEDIATION_FEED = "/openvex/v1/all.json"
_BLOCK_MESSAGES = {
    BLOCKLIST: "The version is on the blocklist of your organization.",
    COOLDOWN: "The version was published too recently for the policy of your organization.",
    MALWARE: "Malware was detected in the version.",
}
# The first parts of paths that do not begin with an ecosystem.
_ECOSYSTEMS = {"files": "python", **dict.fromkeys(python.CUDA, "python")}


async def package(request: Request) -> Response:
    """A file of a package or a document about packages, if the caller may download it."""
    state: Chainguard = request.app.state.simulator.chainguard
    path = f"/{request.path_params['path']}"
    if path == REMEDIATION_FEED:
        return _remediation_feed(state)
    folder = path.split("/")[1].partition("-")[0]
    ecosystem = _ECOSYSTEMS.get(folder, folder)
    if ecosystem not in roles.LIBRARIES:
        return _error(404, "not found")
    try:
        caller = request.state.user = credentials.authenticate_pull_token(state, request)
    except ApiError as error:
        headers = {"WWW-Authenticate": 'Basic realm="Chainguard Libraries"'}
        return _error(401, error.message, headers)
    if not _is_entitled(state, caller, ecosystem):
        return _error(403, f"not entitled to {ecosystem} libraries")
    if BLOCKED_PACKAGE in path:
        return _blocked(409, MALWARE)
    try:
        return _respond(request, path)
    except BlockedError as error:
        return _blocked(403 if ecosystem == "javascript" and "/-/" in path else 409, error.reason)


def _remediation_feed(state: Chainguard) -> Response:
    """The names of the remediated Python libraries, without a login."""
    modified = state.simulator.clock.rfc3339()
    names = state.packages.names("python-remediated")
    return JSONResponse({"entries": [{"id": f"pypi/{name}.openvex.json", "modified": modified} for name in names]})


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": message}, status, headers)


def _blocked(status: int, reason: str) -> Response:
    return JSONResponse({"error": "blocked", "reason": reason, "message": _BLOCK_MESSAGES[reason]}, status)


def _is_entitled(state: Chainguard, caller: str, ecosystem: str) -> bool:
    organization = caller.partition("/")[0]
    capabilities = state.capabilities_at(caller, organization)
    is_bought = ecosystem in state.simulator.settings["library_entitlements"]
    return is_bought and roles.LIBRARIES_PULL[f"libraries.{ecosystem}.pull"] <= capabilities


def _respond(request: Request, path: str) -> Response:
    """A document directly; for a file of the object store an HTML page that redirects there."""
    file = request.app.state.simulator.chainguard.packages.find(path)
    if file is None:
        return _error(404, "not found")
    if not file.stored:
        return Response(file.body.replace(ORIGIN.encode(), get_origin(request).encode()), media_type=file.media_type)
    target = blobs.url(request, "libraries", compute_digest(file))
    return HTMLResponse(f'<a href="{escape(target)}">Found</a>.\n\n', 302, {"Location": target})


def build(simulator: Simulator) -> Starlette:
    app = Starlette(routes=[Route("/{path:path}", package, name="libraries.get")])
    app.state.simulator = simulator
    return app
