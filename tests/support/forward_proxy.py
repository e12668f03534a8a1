# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A forward proxy on loopback that records its requests: CONNECT and plain HTTP, with or without a password."""

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
from support.services import QuietHandler, serve_http

Address = tuple[str, int]


@dataclasses.dataclass(frozen=True)
class ProxyRequest:
    """A request to the proxy. target: host and port. status: the proxy's own error response, or 0 if it connected the client."""

    user: str
    method: str
    target: str
    status: int


@dataclasses.dataclass
class ForwardProxy:
    """addresses: the only targets it reaches, as host and port. password: required from every user, if not empty.

    denied_hosts: hosts that it responds to with 403. netloc: its own host and port while it serves.
    """

    addresses: t.Mapping[str, Address]
    password: str = ""
    denied_hosts: frozenset[str] = frozenset()
    requests: list[ProxyRequest] = dataclasses.field(default_factory=list)
    netloc: str = ""

    def url(self, user: str = "", password: str = "") -> str:
        """Return the value of HTTPS_PROXY."""
        return f"http://{f'{user}:{password}@' if user else ''}{self.netloc}"

    def connected_hosts(self, user: str | None = None) -> set[str]:
        """Return the hosts to which the proxy connected one user, or all users."""
        requests = (request for request in self.requests if not request.status and user in (None, request.user))
        return {request.target.partition(":")[0] for request in requests}

    @contextlib.contextmanager
    def serve(self) -> t.Iterator[ForwardProxy]:
        """Serve on a free port."""
        proxy = self

        class Handler(_Handler):
            settings = proxy

        with serve_http(Handler) as url:
            self.netloc = url.partition("//")[2]
            yield self


def service_addresses(lab: LabClient) -> dict[str, Address]:
    """Return the addresses of the lab's services by the names and ports of the real ones."""
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


class _Handler(QuietHandler):
    settings: ForwardProxy
    timeout = 30

    def do_CONNECT(self) -> None:
        address = self._authorize(self.path)
        if address is None:
            return
        with socket.create_connection(address) as upstream:
            self.send_response_only(200, "Connection established")
            self.end_headers()
            _relay(self.connection, upstream)
        self.close_connection = True

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        address = self._authorize(f"{parts.hostname}:{parts.port or 80}")
        if address is None:
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection(*address, timeout=self.timeout)
        headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
        upstream.request(self.command, parts._replace(scheme="", netloc="").geturl(), body, headers)
        response = upstream.getresponse()
        content = response.read()
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        upstream.close()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _authorize(self, target: str) -> Address | None:
        """Return the target's address, or send the error response of a proxy and return None."""
        settings = self.settings
        user, _colon, password = _decode_basic(self.headers.get("Proxy-Authorization", "")).partition(":")
        status = 0
        if settings.password and password != settings.password:
            status = 407
        elif target.partition(":")[0] in settings.denied_hosts:
            status = 403
        elif target not in settings.addresses:
            status = 502
        settings.requests.append(ProxyRequest(user, self.command, target, status))
        if not status:
            return settings.addresses[target]
        self.send_response_only(status)
        if status == 407:
            self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.close_connection = True
        return None


def _decode_basic(authorization: str) -> str:
    return base64.b64decode(authorization.removeprefix("Basic ")).decode()


def _relay(client: socket.socket, upstream: socket.socket) -> None:
    """Copy bytes in both directions until both sides have ended.

    Bytes that one side sends after the other has ended are read and discarded. Otherwise the kernel would reset the
    connection, and the client could lose the last bytes of a server that rejects it.
    """
    peers = {client: upstream, upstream: client}
    open_sockets = {client, upstream}
    while open_sockets:
        ready, _writable, _broken = select.select(open_sockets, [], [], _Handler.timeout)
        if not ready:
            return
        for side in ready:
            data = b""
            with contextlib.suppress(OSError):
                data = side.recv(1 << 16)
            with contextlib.suppress(OSError):
                if data:
                    peers[side].sendall(data)
                else:
                    peers[side].shutdown(socket.SHUT_WR)
            if not data:
                open_sockets.discard(side)
