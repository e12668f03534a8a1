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
    control = ArtifactoryControl(simulator)
    return [
        Route("/artifactory/repositories", control.list_repositories),
        Route("/artifactory/repositories/{key}", control.change_repository, methods=["POST"]),
        Route("/artifactory/cache/{key}", control.list_cache),
        Route("/artifactory/cache/{key}", control.empty_cache, methods=["DELETE"]),
        Route("/artifactory/permissions", control.list_permissions),
        Route("/artifactory/upstream", control.count_requests),
    ]


class ArtifactoryControl:
    """The endpoints. An unknown key raises KeyError, an unknown field ValueError."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    @property
    def _state(self) -> Artifactory:
        state: Artifactory = self._simulator.artifactory
        return state

    def _repository(self, request: Request) -> Repository:
        key = request.path_params["key"]
        repository = self._state.store.get(key)
        if repository is None:
            raise KeyError(key)
        return repository

    def _remote(self, request: Request) -> Remote[Any, Any]:
        return self._state.remote(self._repository(request))

    async def list_repositories(self, _request: Request) -> JSONResponse:
        """Configurations by key, with passwords in clear text and unset fields as null."""
        return JSONResponse({repository.key: _to_json(repository) for repository in self._state.store})

    async def change_repository(self, request: Request) -> JSONResponse:
        """Set fields without merging, validation or restart."""
        repository = self._repository(request)
        self._state.store.overwrite(repository.key, await request.json())
        return JSONResponse(_to_json(repository))

    async def list_cache(self, request: Request) -> JSONResponse:
        return JSONResponse(sorted(self._remote(request).cache.files))

    async def empty_cache(self, request: Request) -> JSONResponse:
        return JSONResponse({"removed": self._remote(request).cache.remove("")})

    async def list_permissions(self, _request: Request) -> JSONResponse:
        """Resources in the form of the Access API, by the name of the permission."""
        permissions = self._state.permissions.by_name
        return JSONResponse({name: permission.resources for name, permission in permissions.items()})

    async def count_requests(self, _request: Request) -> JSONResponse:
        """Requests to the upstream by repository, with each hop of a redirect: {"HEAD": n, "GET": n, "TOKEN": n}."""
        state = self._state
        remotes = [state.remote(repository) for repository in state.store if repository.rclass == "remote"]
        return JSONResponse({remote.key: dict(remote.upstream.requests) for remote in remotes})


def _to_json(repository: Repository) -> dict[str, Any]:
    identity = {"key": repository.key, "rclass": repository.rclass, "packageType": repository.package_type}
    return {**identity, **repository.fields}
