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
    routes: list[BaseRoute] = _routes(simulator)
    for product in simulator.products.values():
        routes += product.routes(simulator)
    return Starlette(routes=routes, exception_handlers={ValueError: _bad_request, KeyError: _bad_request})


async def _bad_request(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 400)


def _routes(simulator: Simulator) -> list[BaseRoute]:
    async def state(_request: Request) -> JSONResponse:
        return JSONResponse(simulator.describe())

    async def read_request_log(request: Request) -> JSONResponse:
        return JSONResponse(simulator.request_log.since(int(request.query_params.get("since", 0))))

    async def clear_request_log(_request: Request) -> JSONResponse:
        simulator.request_log.clear()
        return JSONResponse({})

    async def read_clock(_request: Request) -> JSONResponse:
        return JSONResponse({"now": simulator.clock.now()})

    async def move_clock(request: Request) -> JSONResponse:
        body = await request.json()
        if "set" in body:
            simulator.clock.set(float(body["set"]))
        else:
            simulator.clock.advance(float(body["advance"]))
        return await read_clock(request)

    async def list_faults(_request: Request) -> JSONResponse:
        return JSONResponse([_fault(rule) for rule in simulator.faults.rules])

    async def add_fault(request: Request) -> JSONResponse:
        return JSONResponse(_fault(simulator.faults.add(await request.json())))

    async def clear_faults(_request: Request) -> JSONResponse:
        simulator.faults.clear()
        return JSONResponse({})

    async def list_credentials(_request: Request) -> JSONResponse:
        return JSONResponse(sorted(simulator.credentials))

    async def read_settings(_request: Request) -> JSONResponse:
        return JSONResponse(simulator.settings)

    async def change_settings(request: Request) -> JSONResponse:
        simulator.configure(await request.json())
        return await read_settings(request)

    async def reset(_request: Request) -> JSONResponse:
        simulator.reset()
        return JSONResponse({})

    return [
        Route("/state", state),
        Route("/request_log", read_request_log),
        Route("/request_log", clear_request_log, methods=["DELETE"]),
        Route("/clock", read_clock),
        Route("/clock", move_clock, methods=["POST"]),
        Route("/faults", list_faults),
        Route("/faults", add_fault, methods=["POST"]),
        Route("/faults", clear_faults, methods=["DELETE"]),
        Route("/credentials", list_credentials),
        Route("/settings", read_settings),
        Route("/settings", change_settings, methods=["POST"]),
        Route("/reset", reset, methods=["POST"]),
    ]


def _fault(rule: Rule) -> dict[str, Any]:
    limits = {"after": rule.after, "times": rule.times}
    return {"id": rule.id, "hits": rule.hits, **rule.match, **limits, "action": rule.action}
