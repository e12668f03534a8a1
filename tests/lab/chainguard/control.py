# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control routes of Chainguard: tests read and change its state past its own API."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from ..simulator import Simulator
from .state import Chainguard, Repository, get_builder


def routes(simulator: Simulator) -> list[BaseRoute]:
    control = ChainguardControl(simulator)
    return [
        Route("/chainguard/identities", control.list_identities),
        Route("/chainguard/identities/revoke", control.revoke_identity, methods=["POST"]),
        Route("/chainguard/bindings", control.list_bindings),
        Route("/chainguard/images", control.publish_image, methods=["POST"]),
        Route("/chainguard/signatures", control.sign_image, methods=["POST"]),
        Route("/chainguard/packages", control.publish_package, methods=["POST"]),
        Route("/chainguard/packages/rebuild", control.rebuild_package, methods=["POST"]),
        Route("/chainguard/packages/block", control.block_package, methods=["POST"]),
    ]


class ChainguardControl:
    """The endpoints. An unknown identity, image or repository raises KeyError."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    @property
    def _state(self) -> Chainguard:
        state: Chainguard = self._simulator.chainguard
        return state

    async def list_identities(self, _request: Request) -> JSONResponse:
        return JSONResponse(list(self._state.identities.values()))

    async def list_bindings(self, _request: Request) -> JSONResponse:
        return JSONResponse(list(self._state.bindings.values()))

    async def revoke_identity(self, request: Request) -> JSONResponse:
        """Delete an identity: {"uid"}."""
        uid = (await request.json())["uid"]
        if not self._state.remove(self._state.identities, uid):
            raise KeyError(uid)
        return JSONResponse({})

    async def publish_image(self, request: Request) -> JSONResponse:
        """Publish a new build of an image or a chart: {"name", "tag"} → its digest, which no cache has.

        An unknown name is a new image. It is small, so that a catalog can have thousands.
        """
        body = await request.json()
        name, tag = body["name"], body["tag"]
        repository = self._state.repositories.setdefault(name, Repository(name))
        serial = sum(1 for published, _when, _digest in repository.history if published == tag)
        repository.publish(tag, get_builder(name)(name, tag, serial + 1), self._simulator.clock.now())
        return JSONResponse({"name": name, "tag": tag, "digest": repository.tags[tag]})

    async def sign_image(self, request: Request) -> JSONResponse:
        """Sign the current build of an image: {"name", "tag"} → the digest of the signature."""
        body = await request.json()
        repository = self._state.repositories[body["name"]]
        return JSONResponse({"digest": repository.sign(repository.tags[body["tag"]])})

    async def publish_package(self, request: Request) -> JSONResponse:
        """Publish a version: {"repository", "version", "package", "from_upstream"} → the new paths."""
        body = await request.json()
        from_upstream = bool(body.get("from_upstream"))
        return JSONResponse({"paths": self._state.packages.publish(*_package(body), from_upstream=from_upstream)})

    async def rebuild_package(self, request: Request) -> JSONResponse:
        """Give the files of a version other bytes: {"repository", "version", "package"}."""
        self._state.packages.rebuild(*_package(await request.json()))
        return JSONResponse({})

    async def block_package(self, request: Request) -> JSONResponse:
        """Block a version, or with an empty reason end its block: {"repository", "version", "package", "reason"}."""
        body = await request.json()
        self._state.packages.block(*_package(body), reason=body["reason"])
        return JSONResponse({})


def _package(body: dict[str, str]) -> tuple[str, str, str]:
    return body["repository"], body["version"], body.get("package", "")
