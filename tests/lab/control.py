# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control API, with which tests inspect and change the lab (see README.md)."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from .faults import Rule
from .simulator import Simulator


def build(simulator: Simulator) -> Starlette:
    routes = ControlApi(simulator).routes()
    for product in simulator.products.values():
        routes += product.routes(simulator)
    return Starlette(routes=routes, exception_handlers={ValueError: _bad_request, KeyError: _bad_request})


async def _bad_request(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 400)


class ControlApi:
    """The endpoints that do not belong to a product."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/state", self.read_state),
            Route("/request_log", self.read_request_log),
            Route("/request_log", self.clear_request_log, methods=["DELETE"]),
            Route("/clock", self.read_clock),
            Route("/clock", self.set_clock, methods=["POST"]),
            Route("/faults", self.list_faults),
            Route("/faults", self.add_fault, methods=["POST"]),
            Route("/faults", self.clear_faults, methods=["DELETE"]),
            Route("/credentials", self.list_credentials),
            Route("/settings", self.read_settings),
            Route("/settings", self.change_settings, methods=["POST"]),
            Route("/reset", self.reset, methods=["POST"]),
        ]

    async def read_state(self, _request: Request) -> JSONResponse:
        return JSONResponse(self._simulator.describe())

    async def read_request_log(self, request: Request) -> JSONResponse:
        return JSONResponse(self._simulator.request_log.since(int(request.query_params.get("since", 0))))

    async def clear_request_log(self, _request: Request) -> JSONResponse:
        self._simulator.request_log.clear()
        return JSONResponse({})

    async def read_clock(self, _request: Request) -> JSONResponse:
        return JSONResponse({"now": self._simulator.clock.now()})

    async def set_clock(self, request: Request) -> JSONResponse:
        body = await request.json()
        if "set" in body:
            self._simulator.clock.set(float(body["set"]))
        else:
            await self._simulator.clock.advance_when_free(float(body["advance"]))
        return await self.read_clock(request)

    async def list_faults(self, _request: Request) -> JSONResponse:
        return JSONResponse([_fault_to_json(rule) for rule in self._simulator.faults.rules])

    async def add_fault(self, request: Request) -> JSONResponse:
        return JSONResponse(_fault_to_json(self._simulator.faults.add(await request.json())))

    async def clear_faults(self, _request: Request) -> JSONResponse:
        self._simulator.faults.clear()
        return JSONResponse({})

    async def list_credentials(self, _request: Request) -> JSONResponse:
        return JSONResponse(sorted(self._simulator.credentials))

    async def read_settings(self, _request: Request) -> JSONResponse:
        return JSONResponse(self._simulator.settings)

    async def change_settings(self, request: Request) -> JSONResponse:
        self._simulator.configure(await request.json())
        return await self.read_settings(request)

    async def reset(self, _request: Request) -> JSONResponse:
        self._simulator.reset()
        return JSONResponse({})


def _fault_to_json(rule: Rule) -> dict[str, Any]:
    limits = {"after": rule.after, "times": rule.times}
    return {"id": rule.id, "hits": rule.hits, **rule.match, **limits, "action": rule.action}
