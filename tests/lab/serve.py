# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the services, each in a middleware for faults, request log and clock."""

from __future__ import annotations

import asyncio
import socket
import traceback
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import artifactory, chainguard, control
from .simulator import Product, Simulator

PRODUCTS: dict[str, Product] = {"artifactory": artifactory, "chainguard": chainguard}
SERVICES = ("artifactory", "api", "registry", "libraries", "apk", "virtualapk", "blobs", "control")

# The response of nginx, the usual reverse proxy of Artifactory, with `ssl_verify_client on`.
_NO_CERTIFICATE = (
    "<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>\r\n<body>\r\n"
    "<center><h1>400 Bad Request</h1></center>\r\n<center>No required SSL certificate was sent</center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


class Service:
    """ASGI middleware: faults, request log, the `Date` of the lab's clock, and a plain 500 if a handler raises.

    Handlers can set `request.state.kind` (default: the route's name) and `request.state.user` for the request log.
    """

    def __init__(self, app: Starlette, name: str, simulator: Simulator) -> None:
        self._app, self._name, self._simulator = app, name, simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = self._kind(scope)
        scope["state"] = {"kind": kind, "user": ""}
        headers = Request(scope).headers
        scope["state"]["certificate"] = _has_client_certificate(send)
        self._simulator.record_credentials(headers.get("authorization", ""))
        user_agent = headers.get("user-agent", "")
        action = self._simulator.faults.take(self._name, kind, scope["method"], scope["path"], user_agent)
        await asyncio.sleep(action.get("delay", 0))
        if "cut" in action or action.get("hold"):
            if action.get("cut") != "before":
                await self._run(self._app, scope, receive, _discard)
            self._record(scope, None)
            if "cut" in action:
                send.__self__.transport.abort()  # type: ignore[attr-defined]  # not part of ASGI
            await _wait_for_disconnect(receive)
            return
        app: ASGIApp = _make_fault_response(action) if "status" in action else self._app
        if self._name == "artifactory" and self._simulator.client_cert_path and not scope["state"]["certificate"]:
            app = HTMLResponse(_NO_CERTIFICATE, 400)
        # A token of the upstream must not expire between the requests that Artifactory sends for one of its client.
        is_client_request = self._name == "artifactory"
        async with self._simulator.clock.hold() if is_client_request else nullcontext():
            await self._run(app, scope, receive, self._recording(scope, send))

    async def _run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Exception:  # Starlette has sent its 500; without this, a bug would look like a cut connection
            traceback.print_exc()

    def _kind(self, scope: Scope) -> str:
        for route in self._app.routes:
            if isinstance(route, Route) and route.matches(scope)[0] is Match.FULL:
                return route.name
        return ""

    def _recording(self, scope: Scope, send: Send) -> Send:
        async def recording(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._record(scope, message["status"])
                date = self._simulator.clock.http_date().encode()
                message["headers"] = [*message.get("headers", ()), (b"date", date)]
            await send(message)

        return recording

    def _record(self, scope: Scope, status: int | None) -> None:
        request = Request(scope)
        self._simulator.request_log.add(
            time=self._simulator.clock.now(),
            service=self._name,
            method=request.method,
            path=scope["path"],
            query=dict(request.query_params),
            status=status,
            kind=request.state.kind,
            user=request.state.user,
            user_agent=request.headers.get("user-agent", ""),
            certificate=request.state.certificate,
        )


def _has_client_certificate(send: Send) -> bool:
    """Whether the client presented a certificate, which is not part of ASGI."""
    return bool(send.__self__.transport.get_extra_info("peercert"))  # type: ignore[attr-defined]  # not part of ASGI


def _make_fault_response(action: dict[str, Any]) -> Response:
    body, headers = action.get("body", ""), action.get("headers")
    if isinstance(body, str):
        return PlainTextResponse(body, action["status"], headers)
    return JSONResponse(body, action["status"], headers)


async def _discard(_message: Message) -> None:
    pass


async def _wait_for_disconnect(receive: Receive) -> None:
    """Wait until the client closes the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ignore signals: the lab stops all of its servers together."""
        yield


@asynccontextmanager
async def running(simulator: Simulator, ports: Mapping[str, int] | None = None) -> AsyncIterator[None]:
    """Run the seeded lab. `ports` by service; the operating system chooses the others."""
    sockets = {name: _listen((ports or {}).get(name, 0)) for name in SERVICES}
    for name, bound in sockets.items():
        host = "localhost" if name == "blobs" else "127.0.0.1"
        simulator.addresses[name] = f"{simulator.scheme}://{host}:{bound.getsockname()[1]}"
    simulator.reset()
    apps = {"control": control.build(simulator)}
    for product in simulator.products.values():
        apps.update(product.build(simulator))
    servers = {name: _Server(_config(simulator, name, app)) for name, app in apps.items()}
    tasks = [asyncio.create_task(server.serve([sockets[name]])) for name, server in servers.items()]
    try:
        while not all(server.started for server in servers.values()):
            await asyncio.sleep(0.005)
        yield
    finally:
        await simulator.close()
        for server in servers.values():
            server.should_exit = True
        await asyncio.gather(*tasks)


def _listen(port: int) -> socket.socket:
    bound = socket.create_server(("127.0.0.1", port))
    # asyncio does not set it on this socket; connections inherit it. Otherwise each response takes 40 ms longer.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


def _config(simulator: Simulator, name: str, app: Starlette) -> uvicorn.Config:
    tls = simulator.server_tls
    return uvicorn.Config(
        app if name == "control" else Service(app, name, simulator),
        http="h11",
        interface="asgi3",
        lifespan="off",
        ws="none",
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        date_header=False,
        server_header=False,
        timeout_keep_alive=75,  # as in nginx; with uvicorn's 5 s, slow clients reuse closed connections
        timeout_graceful_shutdown=0,
        ssl_context_factory=(lambda _config, _default: tls) if tls else None,
    )
