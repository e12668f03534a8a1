# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control routes: what tests see and change behind Artifactory's back."""

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
        repo = state().store.get(request.path_params["key"])
        if repo is None:
            raise KeyError(request.path_params["key"])
        return repo

    def remote(request: Request) -> Remote[Any, Any]:
        return state().remote(repository(request))

    async def list_repositories(_request: Request) -> JSONResponse:
        """By key; passwords in clear text, unset fields as null."""
        return JSONResponse({repo.key: _stored(repo) for repo in state().store})

    async def change_repository(request: Request) -> JSONResponse:
        """No merge rules, no validation, no restart: the values are simply there."""
        repo = repository(request)
        state().store.overwrite(repo.key, await request.json())
        return JSONResponse(_stored(repo))

    async def list_cache(request: Request) -> JSONResponse:
        return JSONResponse(sorted(remote(request).cache.files))

    async def empty_cache(request: Request) -> JSONResponse:
        return JSONResponse({"removed": remote(request).cache.remove("")})

    async def list_permissions(_request: Request) -> JSONResponse:
        """By name; what the Access API calls their resources."""
        return JSONResponse({name: repo.resources for name, repo in state().permissions.by_name.items()})

    async def count_requests(_request: Request) -> JSONResponse:
        """Requests to the upstream by repository, each hop of a redirect too: {"HEAD": n, "GET": n, "TOKEN": n}."""
        remotes = [state().remote(repo) for repo in state().store if repo.rclass == "remote"]
        return JSONResponse({repo.key: dict(repo.upstream.requests) for repo in remotes})

    return [
        Route("/artifactory/repositories", list_repositories),
        Route("/artifactory/repositories/{key}", change_repository, methods=["POST"]),
        Route("/artifactory/cache/{key}", list_cache),
        Route("/artifactory/cache/{key}", empty_cache, methods=["DELETE"]),
        Route("/artifactory/permissions", list_permissions),
        Route("/artifactory/upstream", count_requests),
    ]


def _stored(repository: Repository) -> dict[str, Any]:
    identity = {"key": repository.key, "rclass": repository.rclass, "packageType": repository.package_type}
    return {**identity, **repository.fields}
