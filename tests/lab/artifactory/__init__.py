# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated Artifactory: repository REST, Docker API over remote repositories, caches, permissions, tokens."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..simulator import Simulator
from . import access, docker, downloads, grantees, npm, nuget, pypi, repositories, search, security, storage, system
from .control import routes
from .responses import ApiError, not_simulated, on_api_error
from .settings import DEFAULTS
from .state import USERS, Artifactory, Installation

__all__ = ["DEFAULTS", "build", "describe", "routes", "seed"]


def seed(simulator: Simulator) -> None:
    previous: Artifactory | None = simulator.artifactory
    simulator.artifactory = Artifactory(simulator, previous.installation if previous else Installation(simulator))


def describe(simulator: Simulator) -> dict[str, Any]:
    installation: Installation = simulator.artifactory.installation
    users = {
        name: {"password": installation.users[name].password, "token": installation.tokens[name].jwt} for name in USERS
    }
    return {"url": simulator.addresses["artifactory"], "users": users}


def build(simulator: Simulator) -> dict[str, Starlette]:
    # storage and downloads come last: their routes match everything else below /artifactory/.
    modules = (system, access, security, grantees, repositories, search, docker, npm, nuget, pypi, storage, downloads)
    app = Starlette(
        routes=[route for module in modules for route in module.routes()],
        middleware=[
            Middleware(_Headers, simulator=simulator),
            Middleware(docker.SubDomains, simulator=simulator),
        ],
        exception_handlers={ApiError: on_api_error, HTTPException: _on_http_exception},
    )
    app.router.redirect_slashes = False
    app.state.simulator = simulator
    return {"artifactory": app}


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """The error of a path, or of a method, without a route."""
    assert isinstance(error, HTTPException)
    return await on_api_error(request, not_simulated(request, error.status_code))


class _Headers:
    """ASGI middleware: every response names version and node (facts/artifactory.md#repository-endpoints)."""

    def __init__(self, app: ASGIApp, simulator: Simulator) -> None:
        self._app, self._simulator = app, simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        artifactory: Artifactory = self._simulator.artifactory
        added = {
            "X-JFrog-Version": artifactory.settings.server_header,
            "X-Artifactory-Id": artifactory.installation.id,
            "X-Artifactory-Node-Id": artifactory.installation.node_id,
        }

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(name.lower().encode(), value.encode()) for name, value in added.items()]
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        if scope["type"] == "http" and artifactory.settings["artifactory_drops_authorization"]:
            headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
            scope = {**scope, "headers": headers}
        await self._app(scope, receive, send_with_headers)
