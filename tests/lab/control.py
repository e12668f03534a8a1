# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control API: plain JSON by which tests look into the lab and move it (README.md has the list)."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from .faults import Rule
from .world import World


def build(world: World) -> Starlette:
    routes: list[BaseRoute] = _routes(world)
    for half in world.halves.values():
        routes += half.routes(world)
    return Starlette(routes=routes, exception_handlers={ValueError: _bad_request, KeyError: _bad_request})


async def _bad_request(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 400)


def _routes(world: World) -> list[BaseRoute]:
    async def state(_request: Request) -> JSONResponse:
        return JSONResponse(world.describe())

    async def read_journal(request: Request) -> JSONResponse:
        return JSONResponse(world.journal.since(int(request.query_params.get("since", 0))))

    async def clear_journal(_request: Request) -> JSONResponse:
        world.journal.clear()
        return JSONResponse({})

    async def read_clock(_request: Request) -> JSONResponse:
        return JSONResponse({"now": world.clock.now()})

    async def move_clock(request: Request) -> JSONResponse:
        body = await request.json()
        if "set" in body:
            world.clock.set(float(body["set"]))
        else:
            world.clock.advance(float(body["advance"]))
        return await read_clock(request)

    async def list_faults(_request: Request) -> JSONResponse:
        return JSONResponse([_fault(rule) for rule in world.faults.rules])

    async def add_fault(request: Request) -> JSONResponse:
        return JSONResponse(_fault(world.faults.add(await request.json())))

    async def clear_faults(_request: Request) -> JSONResponse:
        world.faults.clear()
        return JSONResponse({})

    async def list_credentials(_request: Request) -> JSONResponse:
        return JSONResponse(sorted(world.credentials))

    async def read_settings(_request: Request) -> JSONResponse:
        return JSONResponse(world.settings)

    async def change_settings(request: Request) -> JSONResponse:
        world.configure(await request.json())
        return await read_settings(request)

    async def reset(_request: Request) -> JSONResponse:
        world.reset()
        return JSONResponse({})

    return [
        Route("/state", state),
        Route("/journal", read_journal),
        Route("/journal", clear_journal, methods=["DELETE"]),
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
