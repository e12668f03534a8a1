# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A forward proxy on loopback, as companies have it: CONNECT and plain HTTP, with or without a login. It notes what it saw."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import http.client
import select
import socket
import typing as t
from urllib.parse import urlsplit

from lab.simulator import ARTIFACTORY_HOST, BLOBS_HOST

from support.lab_client import LabClient
from support.services import Quiet, serving

Address = tuple[str, int]


@dataclasses.dataclass(frozen=True)
class Seen:
    """A request to the proxy. user: who logged in at it. target: host and port. status: what the proxy itself answered; 0: it passed the request on."""

    user: str
    method: str
    target: str
    status: int


@dataclasses.dataclass
class ForwardProxy:
    """addresses: the hosts with their ports that it knows; it reaches no other. password: what everyone logs in with, if any."""

    addresses: t.Mapping[str, Address]
    password: str = ""
    refused: frozenset[str] = frozenset()
    seen: list[Seen] = dataclasses.field(default_factory=list)
    place: str = ""

    def url(self, user: str = "", password: str = "") -> str:
        """Return what goes into HTTPS_PROXY."""
        return f"http://{f'{user}:{password}@' if user else ''}{self.place}"

    def hosts(self, user: str | None = None) -> set[str]:
        """Return the hosts that the proxy led to, for a user or for all."""
        led = (one for one in self.seen if not one.status and user in (None, one.user))
        return {one.target.partition(":")[0] for one in led}

    @contextlib.contextmanager
    def running(self) -> t.Iterator[ForwardProxy]:
        """Serve on a free port."""
        proxy = self

        class Handler(_Handler):
            settings = proxy

        with serving(Handler) as url:
            self.place = url.partition("//")[2]
            yield self


def names_of(lab: LabClient) -> dict[str, Address]:
    """Return where a proxy finds the lab's services, by the names that the real ones have."""
    chainguard = lab.state["chainguard"]
    urls = {
        ARTIFACTORY_HOST: lab.artifactory_url,
        "console-api.enforce.dev": chainguard["api_url"],
        "issuer.enforce.dev": chainguard["issuer_url"],
        "cgr.dev": chainguard["registry_url"],
        "libraries.cgr.dev": chainguard["libraries_url"],
        "apk.cgr.dev": chainguard["apk_url"],
        "virtualapk.cgr.dev": chainguard["virtualapk_url"],
        BLOBS_HOST: chainguard["blobs_url"],
    }
    port = 443 if lab.ca_path else 80
    return {f"{name}:{port}": ("127.0.0.1", urlsplit(url).port or 0) for name, url in urls.items()}


class _Handler(Quiet):
    settings: ForwardProxy
    timeout = 30

    def do_CONNECT(self) -> None:
        address = self._let_in(self.path)
        if address is None:
            return
        with socket.create_connection(address) as there:
            self.send_response_only(200, "Connection established")
            self.end_headers()
            _join(self.connection, there)
        self.close_connection = True

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        address = self._let_in(f"{parts.hostname}:{parts.port or 80}")
        if address is None:
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        there = http.client.HTTPConnection(*address, timeout=self.timeout)
        headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
        there.request(self.command, parts._replace(scheme="", netloc="").geturl(), body, headers)
        answer = there.getresponse()
        content = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        there.close()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _let_in(self, target: str) -> Address | None:
        """Return the target's address, or answer as proxies do."""
        settings = self.settings
        user, _colon, password = _login(self.headers.get("Proxy-Authorization", "")).partition(":")
        status = 0
        if settings.password and password != settings.password:
            status = 407
        elif target.partition(":")[0] in settings.refused:
            status = 403
        elif target not in settings.addresses:
            status = 502
        settings.seen.append(Seen(user, self.command, target, status))
        if not status:
            return settings.addresses[target]
        self.send_response_only(status)
        if status == 407:
            self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.close_connection = True
        return None


def _login(authorization: str) -> str:
    return base64.b64decode(authorization.removeprefix("Basic ")).decode()


def _join(here: socket.socket, there: socket.socket) -> None:
    """Hand bytes on in both directions until both sides ended. What one side still says after the other's end is read and lost:
    otherwise it would be answered by a reset, which can overtake the last words of a server that refuses a client.
    """
    other = {here: there, there: here}
    open_sides = {here, there}
    while open_sides:
        ready, _writable, _broken = select.select(open_sides, [], [], _Handler.timeout)
        if not ready:
            return
        for side in ready:
            data = b""
            with contextlib.suppress(OSError):
                data = side.recv(1 << 16)
            with contextlib.suppress(OSError):
                if data:
                    other[side].sendall(data)
                else:
                    other[side].shutdown(socket.SHUT_WR)
            if not data:
                open_sides.discard(side)
