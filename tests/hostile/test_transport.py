# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The transport, the JSON API and the registry client against a server that misbehaves, with bounds on what that costs."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
import typing as t

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils import _connection, _http, _text
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._server import ArtifactoryService
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import RequestError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Request, RequestsTransport
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import RepositoryClient
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry
from hostile.conftest import SLOW_SECONDS, Network, check_text, within_bounds
from hostile.server import BEHAVIORS, SECRET

VALID = [name for name in BEHAVIORS if name.startswith("valid")]
# Of the transport. Others are JSON with another shape, which tests of the modules cover.
HOSTILE = [
    name
    for name in BEHAVIORS
    if name not in VALID and not name.startswith(("shape", "listing", "link", "page", "location", "realm"))
]


def call_api(base: str) -> t.Any:
    session = ApiSession(
        base,
        ArtifactoryService(),
        transport=_http.RequestsTransport(timeout=10),
        authorization=lambda: f"Bearer {SECRET}",
    )
    return session.call("GET", "/artifactory/api/system/version", idempotent=False)


def get_manifest(base: str) -> t.Any:
    registry = Registry(base, Credentials("ci", SECRET), transport=_http.RequestsTransport(timeout=10))
    return registry.get_manifest("a/b", "latest")


def get_index(base: str) -> t.Any:
    client = RepositoryClient(base, Credentials("ci", SECRET), transport=_http.RequestsTransport(timeout=10))
    return client.get_json(f"{base}/package", {})


CLIENTS = {"api": call_api, "manifest": get_manifest, "index": get_index}


# What a message says about a bound that a response exceeds, or a rule of HTTP that it breaks, by the start of the behavior.
MESSAGES = {
    "body-endless": "the response has more than .* MiB",
    "body-short": "ended before it was complete",
    "body-huge-length": "ended before it was complete",
    "chunk-huge": "ended before it was complete",
    "chunk-negative": "a chunk has a size that is not valid",
    "chunk-size-invalid": "a chunk has a size that is not valid",
    "chunk-size-endless": "got more than 65536 bytes when reading chunk size",
    "trailers-endless": "it has more than 100 trailers",
    "headers-endless": "got more than 100 headers",
    "header-long": "got more than 65536 bytes when reading header line",
    "status-line-endless": "got more than 65536 bytes when reading status line",
    "status-line-missing": "its status line is not valid",
    "informational": "it has more than 16 informational responses",
    "length-twice": "it has more than one length",
    "gzip-bomb": "the response has more than .* MiB",
    "gzip-invalid": "is not valid gzip",
    "encoding": "which was not requested",
    "redirect-endless": "redirect",
    "redirect-loop": "redirect",
    "redirect-without-target": "a redirect without a target",
    "retry-after-long": "asks to wait for 7200 seconds",
    "json-deep": "nested too deeply",
    "json-dense": "more than (400 MiB of memory|4 MiB)",
    "json-digits": "more than 100 digits",
}


def expected_message(name: str) -> str:
    if "drip" in name:
        return f"took longer than {SLOW_SECONDS} seconds"
    return next((message for start, message in MESSAGES.items() if name.startswith(start)), "")


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_response_is_a_bounded_error(network: Network, client: str, name: str) -> None:
    _text.remember_secret(SECRET)
    with within_bounds(network, name), pytest.raises(RequestError) as caught:
        CLIENTS[client](network.url(name))
    text = str(caught.value) + json.dumps(caught.value.details())
    check_text(text, SECRET, "sent-secret")
    assert re.search(expected_message(name), str(caught.value))
    assert len(text) < 4000


@pytest.mark.parametrize("name", VALID)
def test_an_unusual_response_is_accepted(network: Network, name: str) -> None:
    assert call_api(network.url(name)) == {"valid": True}


def test_no_cookie_is_sent_back(network: Network) -> None:
    sender = _http.RequestsTransport()
    for _number in range(2):
        sender.send(Request("GET", network.url("valid-cookie"))).read()
    assert network.report().cookies == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/",
        "http://[::ffff:169.254.169.254]/",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "http://169.254.43518/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
        "http://168.63.129.16/",
    ],
)
def test_no_request_goes_to_a_metadata_service(url: str, no_connections: None) -> None:
    with pytest.raises(RequestError, match="metadata service"):
        RequestsTransport().send(Request("GET", url))


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "2852039166", "[::ffff:169.254.169.254]", "metadata.google.internal", "METADATA.goog."]
)
def test_no_request_goes_to_a_metadata_service_through_a_proxy(
    host: str, no_connections: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(RequestError, match="metadata service"):
        RequestsTransport().send(Request("GET", f"http://{host}/"))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "0x7f000001", "017700000001", "2130706433", "10.0.0.1", "100.64.0.1", "[::1]", "localhost"]
    + ["[::ffff:10.0.0.1]", "[fe80::1]", "[fc00::1]", "0.0.0.0", "192.168.1.1", "172.16.0.1", "224.0.0.1"],
)
def test_a_public_server_cannot_name_a_private_address(host: str, no_connections: None) -> None:
    with pytest.raises(RequestError, match="private address"):
        RequestsTransport().send(Request("GET", f"http://{host}/", named_by="https://registry.example.com"))


def test_the_address_that_is_connected_to_is_the_one_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = iter(["203.0.113.9", "10.0.0.1"])
    connected = []

    def resolve(host: str, port: int, *_arguments: t.Any, **_options: t.Any) -> list[t.Any]:
        address = host if host[0].isdigit() else next(addresses)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def connect(_socket: t.Any, address: t.Any) -> None:
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(_connection, "is_inside", lambda address: address.startswith("10."))
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket.socket, "connect", connect)
    request = Request("GET", "http://rebinding.example.com/", named_by="https://registry.example.com")
    with pytest.raises(RequestError):
        RequestsTransport().send(request)
    assert connected == ["203.0.113.9"]


@pytest.mark.parametrize("proxy", ["", "http://proxy.example.com:3128"])
def test_the_time_of_a_request_includes_name_resolution(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_options: is_over.wait(30))
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(RequestError, match="took longer than 2 seconds"):
        RequestsTransport(max_seconds=2, clock=lambda: time.monotonic() * 20).send(Request("GET", "http://a.example/"))
    is_over.set()


@pytest.mark.parametrize("start", [b"", b"\x16\x03\x03\x40\x00"], ids=["silent", "endless record"])
def test_the_time_of_a_request_includes_the_tls_handshake(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_connection, "_WATCH_INTERVAL", 0.02)

    def drip(listener: socket.socket) -> None:
        connection, _address = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(start)
            while start:
                connection.sendall(b"\0")
                time.sleep(0.01)
            connection.recv(1 << 16)
            connection.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=[listener], daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(RequestError, match="took longer than 2 seconds"):
            RequestsTransport(max_seconds=2, clock=lambda: time.monotonic() * 20).send(Request("GET", url))
        thread.join(10)


def test_no_request_is_sent_after_the_end_of_the_run(no_connections: None) -> None:
    with pytest.raises(RequestError, match="the time of the run is over"):
        RequestsTransport(end=5, clock=lambda: 5.0).send(Request("GET", "http://127.0.0.1/"))


@pytest.fixture
def no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_socket: t.Any, address: t.Any) -> None:
        raise AssertionError(f"connected to {address}")

    monkeypatch.setattr(socket.socket, "connect", fail)
