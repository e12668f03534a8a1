# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hostile server, a faster clock, a record of all connections, and the bounds of each case."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import re
import resource
import socket
import subprocess
import sys
import time
import typing as t
import urllib.request
from pathlib import Path

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils import _connection, _http, _retry, _text

DOMAIN = "hostile.test"
LOOPBACK = "127.0.0.1"
# The limits of time apply to this clock, so that a case with a slow server takes a tenth of a second.
CLOCK_SPEED = 10.0
SLOW_SECONDS = 2
MAX_CPU_SECONDS = 6.0
MAX_MEMORY = 500 << 20
MAX_BYTES = 80 << 20
_MAX_RECEIVE_BUFFER = 1 << 20

_connect = socket.socket.connect
_getaddrinfo = socket.getaddrinfo


class Report(t.NamedTuple):
    """sent: bytes by behavior. hosts: the Host of each request, and whether it had an Authorization header."""

    sent: dict[str, int]
    cookies: list[str]
    hosts: set[tuple[str, bool]]


@dataclasses.dataclass
class Network:
    """The names that were resolved and the addresses that were connected to."""

    port: int
    names: set[str] = dataclasses.field(default_factory=set)
    addresses: set[t.Any] = dataclasses.field(default_factory=set)

    def url(self, name: str) -> str:
        """Return the origin of a behavior."""
        return f"http://{name}.{DOMAIN}:{self.port}"

    def resolve(self, host: t.Any, port: t.Any, *arguments: t.Any, **options: t.Any) -> t.Any:
        text = host.decode() if isinstance(host, bytes) else str(host)
        self.names.add(text)
        return _getaddrinfo(LOOPBACK if text.endswith(DOMAIN) else host, port, *arguments, **options)

    def connect(self, connection: socket.socket, address: t.Any) -> None:
        self.addresses.add(address[:2])
        if address[:2] != (LOOPBACK, self.port):
            raise AssertionError(f"connected to {address}")
        # Otherwise the kernel takes up to 32 MiB, depending on the machine, that the client does not read.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _MAX_RECEIVE_BUFFER)
        _connect(connection, address)

    def report(self) -> Report:
        """Return what the server has sent and received since the last report."""
        with urllib.request.urlopen(self.url("report")) as response:
            sent, cookies, hosts = json.load(response)
            return Report(sent, cookies, {(entry[0], entry[1]) for entry in hosts})


@pytest.fixture(scope="session")
def port() -> t.Iterator[int]:
    program = [sys.executable, str(Path(__file__).with_name("server.py"))]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin and process.stdout
    yield int(process.stdout.readline())
    process.stdin.close()
    process.stdout.close()
    process.wait(10)


@pytest.fixture
def network(port: int, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> t.Iterator[Network]:
    """Record the network, speed up the clock, and check afterwards that only the server was contacted.

    A response that the server sends slowly has a few seconds, and others the usual ones.
    """
    recorded = Network(port)
    is_slow = "drip" in request.node.name

    def connect(connection: socket.socket, address: t.Any) -> None:
        recorded.connect(connection, address)

    monkeypatch.setattr(socket, "getaddrinfo", recorded.resolve)
    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(_connection, "_WATCH_INTERVAL", 0.02)
    transport = functools.partial(
        _http.RequestsTransport,
        max_seconds=SLOW_SECONDS if is_slow else _http.MAX_RESPONSE_SECONDS,
        clock=lambda: time.monotonic() * CLOCK_SPEED,
    )
    monkeypatch.setattr(_http, "RequestsTransport", transport)
    monkeypatch.setattr(_retry, "backoff", lambda *_arguments, **_options: 0.0)
    for variable in ("http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    _text.forget_secrets()
    yield recorded
    assert recorded.addresses <= {(LOOPBACK, port)}


@contextlib.contextmanager
def within_bounds(network: Network, name: str) -> t.Iterator[None]:
    """Check the memory, CPU seconds and received bytes of the block, and that it resolved no other name than the behavior's."""
    network.report()
    cpu, memory = time.process_time(), _reset_peak_memory()
    yield
    assert time.process_time() - cpu < MAX_CPU_SECONDS
    assert _peak_memory() - memory < MAX_MEMORY
    report = network.report()
    assert report.hosts, "nothing was requested"
    # What a client does not read is also sent, into the buffers of the connection.
    assert sum(report.sent.values()) < MAX_BYTES
    assert {host for host in network.names if not _is_address(host)} <= {
        f"{name}.{DOMAIN}",
        f"report.{DOMAIN}",
    }


def _is_address(host: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(socket.inet_aton(host))
    return ":" in host


def _reset_peak_memory() -> int:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _peak_memory()


def _peak_memory() -> int:
    """Return the peak of the memory in bytes, since it was reset if the system can do that."""
    with contextlib.suppress(OSError):
        peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
        if peak:
            return int(peak[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def check_text(text: str, *secrets: str) -> None:
    """Check that a text can be shown: no traceback, no secret, and no character that changes how a terminal shows it."""
    for forbidden in ("Traceback", "This is a bug in", *secrets):
        assert forbidden not in text, text[:2000]
    unsafe = [character for character in text if (character < " " and character not in "\n\t") or character in _UNSAFE]
    assert not unsafe


_UNSAFE = "\x1b\x07\x7f\x9b\u202e\u200b\u2028\ufeff"
