# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control routes of Artifactory: tests read and change its state past its own API."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from ..simulator import Simulator
from .remote import Remote
from .state import Artifactory
from .store import Repository


def routes(simulator: Simulator) -> list[BaseRoute]:
    def state() -> Artifactory:
        artifactory: Artifactory = simulator.artifactory
        return artifactory

    def repository(request: Request) -> Repository:
        key = request.path_params["key"]
        if (stored := state().store.get(key)) is None:
            raise KeyError(key)
        return stored

    def remote(request: Request) -> Remote[Any, Any]:
        return state().remote(repository(request))

    async def list_repositories(_request: Request) -> JSONResponse:
        """By key; passwords in clear text, unset fields as null."""
        return JSONResponse({stored.key: _to_json(stored) for stored in state().store})

    async def change_repository(request: Request) -> JSONResponse:
        """Set fields without merging, validation or restart."""
        stored = repository(request)
        state().store.overwrite(stored.key, await request.json())
        return JSONResponse(_to_json(stored))

    async def list_cache(request: Request) -> JSONResponse:
        return JSONResponse(sorted(remote(request).cache.files))

    async def empty_cache(request: Request) -> JSONResponse:
        return JSONResponse({"removed": remote(request).cache.remove("")})

    async def list_permissions(_request: Request) -> JSONResponse:
        """Resources in the form of the Access API, by the name of the permission."""
        return JSONResponse({name: stored.resources for name, stored in state().permissions.by_name.items()})

    async def count_requests(_request: Request) -> JSONResponse:
        """Requests to the upstream by repository, with each hop of a redirect: {"HEAD": n, "GET": n, "TOKEN": n}."""
        remotes = [state().remote(stored) for stored in state().store if stored.rclass == "remote"]
        return JSONResponse({remote.key: dict(remote.upstream.requests) for remote in remotes})

    return [
        Route("/artifactory/repositories", list_repositories),
        Route("/artifactory/repositories/{key}", change_repository, methods=["POST"]),
        Route("/artifactory/cache/{key}", list_cache),
        Route("/artifactory/cache/{key}", empty_cache, methods=["DELETE"]),
        Route("/artifactory/permissions", list_permissions),
        Route("/artifactory/upstream", count_requests),
    ]


def _to_json(repository: Repository) -> dict[str, Any]:
    identity = {"key": repository.key, "rclass": repository.rclass, "packageType": repository.package_type}
    return {**identity, **repository.fields}
