# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The transport, the JSON API and the registry client against a server that misbehaves, with bounds on what that costs."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
import time
import typing as t
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from server import BEHAVIORS  # pylint: disable=wrong-import-position

from ansible_collections.cgr.pull_through.plugins.module_utils import _connection
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import ArtifactoryService
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError, RequestError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Request, RequestsTransport
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry

SECRET = "sent-secret-value"
MAX_CPU_SECONDS = 6.0
MAX_MEMORY = 500 << 20
VALID = [name for name in BEHAVIORS if name.startswith("valid")]
HOSTILE = [name for name in BEHAVIORS if name not in VALID]


@pytest.fixture(scope="module")
def base() -> t.Iterator[str]:
    program = [sys.executable, str(Path(__file__).with_name("server.py"))]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin and process.stdout
    yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    process.stdin.close()
    process.stdout.close()
    process.wait(10)


def transport() -> RequestsTransport:
    return RequestsTransport(timeout=1, max_seconds=1)


def call_api(base: str, name: str) -> t.Any:
    session = ApiSession(
        base,
        ArtifactoryService(),
        transport=transport(),
        authorization=lambda: f"Bearer {SECRET}",
        sleep=lambda _seconds: None,
    )
    return session.call("GET", f"/{name}", idempotent=False)


def registry(base: str) -> Registry:
    return Registry(base, Credentials(bearer=SECRET), transport=transport(), sleep=lambda _seconds: None)


CLIENTS: dict[str, t.Callable[[str, str], t.Any]] = {
    "api": call_api,
    "manifest": lambda base, name: registry(base).get_manifest("a/b", name),
}


def check_message(error: PullThroughError) -> None:
    text = str(error) + json.dumps(error.details())
    assert SECRET not in text and "Traceback" not in text and "c2VudC1z" not in text
    assert not [character for character in text if character < " " or character in "\x1b\x07\u202e"]
    assert len(text) < 4000


@pytest.mark.parametrize("client", ["api", "manifest"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_response_is_a_bounded_error(base: str, client: str, name: str) -> None:
    cpu, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RequestError) as caught:
        CLIENTS[client](base, name)
    check_message(caught.value)
    assert time.process_time() - cpu < MAX_CPU_SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) << 10 < MAX_MEMORY


@pytest.mark.parametrize("name", VALID)
def test_an_unusual_response_is_accepted(base: str, name: str) -> None:
    assert call_api(base, name) == {"valid": True}


def test_no_cookie_is_sent_back(base: str) -> None:
    sender = transport()
    for _number in range(2):
        sender.send(Request("GET", f"{base}/valid-cookie")).read()
    with urllib.request.urlopen(f"{base}/report") as response:
        assert json.load(response)[1] == []


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
        transport().send(Request("GET", url))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "0x7f000001", "017700000001", "2130706433", "10.0.0.1", "100.64.0.1", "[::1]", "localhost"]
    + ["[::ffff:10.0.0.1]", "[fe80::1]", "[fc00::1]", "0.0.0.0", "192.168.1.1", "172.16.0.1", "224.0.0.1"],
)
def test_a_public_server_cannot_name_a_private_address(host: str, no_connections: None) -> None:
    with pytest.raises(RequestError, match="private address"):
        transport().send(Request("GET", f"http://{host}/", named_by="https://registry.example.com"))


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
        transport().send(request)
    assert connected == ["203.0.113.9"]


@pytest.fixture
def no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_socket: t.Any, address: t.Any) -> None:
        raise AssertionError(f"connected to {address}")

    monkeypatch.setattr(socket.socket, "connect", fail)
