# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections that a server cannot keep busy forever, and that lead only where requests may go. Private to the collection.

The time of a whole exchange is limited, as the timeout of a socket is that between two reads only. The address is checked
after the name is resolved, and exactly that address is connected to.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import http.client
import os
import socket
import threading
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._origin import (
    is_inside,
    is_metadata,
    is_metadata_name,
    literal_address,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._trust import DefaultTrust

try:
    import requests
    from requests.adapters import HTTPAdapter
    from requests.cookies import RequestsCookieJar
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
except ImportError:  # reported with _http.REQUESTS_MISSING; the classes below need some base, which types do not allow
    HTTPAdapter = HTTPConnection = HTTPSConnection = object  # type: ignore[assignment,misc]
    HTTPConnectionPool = HTTPSConnectionPool = RequestsCookieJar = object  # type: ignore[assignment,misc]

_Base: t.Any = object
Result = t.TypeVar("Result")

_MAX_INFORMATIONAL = 16
_MAX_TRAILERS = 100
_MAX_LINE = 65536
_WATCH_INTERVAL = 0.2


class ForbiddenAddressError(Exception):
    """A connection to an address that the request must not go to. The message is a clause."""


class Exchange:
    """A request and its response. The connection is shut down when its deadline has passed.

    is_inside_allowed: whether it may go to a private address.
    """

    def __init__(
        self, seconds: float, *, is_inside_allowed: bool, clock: t.Callable[[], float] = time.monotonic
    ) -> None:
        self.clock = clock
        self.limit(seconds, "the response")
        self.is_inside_allowed = is_inside_allowed
        self.is_inside = False
        self.is_expired = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        _WATCHDOG.add(self)

    def limit(self, seconds: float, what: str) -> None:
        """Give a part of the exchange these seconds from now on. what: the part, for messages."""
        self.deadline = self.clock() + seconds
        self.limit_message = f"{what} took longer than {seconds:.0f} seconds"

    def attach(self, connected: socket.socket) -> None:
        """Watch a connected socket. A duplicate, because TLS and a response that ends with the connection detach it."""
        duplicate = socket.socket(fileno=os.dup(connected.fileno()))
        with self._lock:
            previous, self._socket = self._socket, duplicate
        if previous is not None:
            previous.close()

    def validate_host(self, host: str) -> None:
        """Raise ForbiddenAddressError if a name or a literal address is enough to know that the request must not go there.

        A proxy resolves names itself, so nothing else can be checked behind one.
        """
        if is_metadata_name(host):
            raise ForbiddenAddressError(f"{host} is the name of a cloud's metadata service.")
        if address := literal_address(host):
            self.validate_address(host, address)

    def validate_address(self, host: str, address: str) -> None:
        """Raise ForbiddenAddressError if the request must not go to the address of a host."""
        if is_metadata(address):
            raise ForbiddenAddressError(f"{host} has the address {address} of a cloud's metadata service.")
        inside = is_inside(address)
        if inside and not self.is_inside_allowed:
            raise ForbiddenAddressError(
                f"{host} has the private address {address}, but the server that names it is public."
            )
        self.is_inside = self.is_inside or inside

    @property
    def remaining_seconds(self) -> float:
        """The seconds until the deadline, at least a tenth."""
        return max(0.1, self.deadline - self.clock())

    def expire(self) -> None:
        """Shut the connection down, so that a blocked read ends."""
        self.is_expired = True
        with self._lock, contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)
                self._socket.close()

    def close(self) -> None:
        _WATCHDOG.remove(self)
        with self._lock:
            duplicate, self._socket = self._socket, None
        if duplicate is not None:
            duplicate.close()


class _Watchdog:
    """One thread that ends the exchanges of all transports."""

    def __init__(self) -> None:
        self._exchanges: set[Exchange] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, exchange: Exchange) -> None:
        with self._changed:
            self._exchanges.add(exchange)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            self._changed.notify()

    def remove(self, exchange: Exchange) -> None:
        with self._changed:
            self._exchanges.discard(exchange)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._exchanges:
                    self._changed.wait()
                expired = [exchange for exchange in self._exchanges if exchange.deadline < exchange.clock()]
                self._exchanges.difference_update(expired)
            for exchange in expired:
                exchange.expire()
            time.sleep(_WATCH_INTERVAL)


_WATCHDOG = _Watchdog()
_EXCHANGE: contextvars.ContextVar[Exchange | None] = contextvars.ContextVar("exchange", default=None)


@contextlib.contextmanager
def in_exchange(exchange: Exchange) -> t.Iterator[None]:
    """Send the requests of the block in an exchange."""
    token = _EXCHANGE.set(exchange)
    try:
        yield
    finally:
        _EXCHANGE.reset(token)


def _call_in_time(work: t.Callable[[], Result], exchange: Exchange) -> Result:
    """Return the result of work that has no timeout of its own. Raises its exception, or TimeoutError after the deadline."""
    results: list[Result] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(work())
        except BaseException as exc:  # pylint: disable=broad-exception-caught  # raised again below
            errors.append(exc)

    # It cannot be stopped, so it gets a thread that can be left behind.
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(exchange.remaining_seconds)
    if thread.is_alive():
        exchange.is_expired = True
        raise TimeoutError("no connection in time")
    if errors:
        raise errors[0]
    return results[0]


def _resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host. Raises OSError."""
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise socket.gaierror(socket.EAI_NONAME, f"Name or service not known: {exc}") from exc
    return list(dict.fromkeys(str(info[4][0]) for info in infos))


class _Response(http.client.HTTPResponse):
    """Skips a few informational responses and trailers. Rejects chunks with a negative size, which would be read without a limit."""

    fp: t.Any

    def _read_status(self) -> tuple[str, int, str]:
        for _number in range(_MAX_INFORMATIONAL):
            version, status, reason = super()._read_status()  # type: ignore[misc]  # private, so without types
            if status >= 200 or status == http.client.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException(f"it has more than {_MAX_INFORMATIONAL} informational responses")

    def _read_next_chunk_size(self) -> int:
        try:
            size: int = super()._read_next_chunk_size()  # type: ignore[misc]  # private, too
        except ValueError:
            size = -1
        if size < 0:
            raise http.client.HTTPException("a chunk has a size that is not valid")
        return size

    def _read_and_discard_trailer(self) -> None:
        for _number in range(_MAX_TRAILERS):
            line = self.fp.readline(_MAX_LINE + 1)
            if len(line) > _MAX_LINE:
                raise http.client.LineTooLong("trailer line")
            if line in (b"\r\n", b"\n", b""):
                return
        raise http.client.HTTPException(f"it has more than {_MAX_TRAILERS} trailers")


class _Connection(_Base):  # type: ignore[misc]  # mixed into two classes of urllib3
    """What the connections for both schemes share. checks_addresses: not for a proxy, which resolves names itself."""

    response_class: t.Any = _Response
    _dns_host: t.Any
    timeout: t.Any
    checks_addresses = True

    def _new_conn(self) -> socket.socket:
        exchange = _EXCHANGE.get()
        if exchange is None:
            return t.cast("socket.socket", super()._new_conn())
        # With a SOCKS proxy, this includes its handshake.
        connect = super()._new_conn
        connected: socket.socket = (
            self._connect_to_checked_address(exchange) if self.checks_addresses else _call_in_time(connect, exchange)
        )
        exchange.attach(connected)
        return connected

    def _connect_to_checked_address(self, exchange: Exchange) -> socket.socket:
        host = self._dns_host
        addresses = _call_in_time(lambda: _resolve(host.strip("[]"), self.port), exchange)
        for address in addresses:
            exchange.validate_address(host, address)
        try:
            for number, address in enumerate(addresses, 1):
                self._dns_host = address
                self.timeout = min(self.timeout, exchange.remaining_seconds)
                try:
                    return t.cast("socket.socket", super()._new_conn())
                except Exception:
                    if number == len(addresses) or exchange.is_expired:
                        raise
        finally:
            self._dns_host = host
        raise OSError(f"{host} has no address")

    def putrequest(self, *args: t.Any, **options: t.Any) -> None:
        exchange = _EXCHANGE.get()
        if exchange is not None and self.sock is not None:
            exchange.attach(self.sock)
        super().putrequest(*args, **options)


class _HTTPConnection(_Connection, HTTPConnection):
    pass


class _HTTPSConnection(_Connection, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _ProxyConnection(_Connection):
    checks_addresses = False


@functools.cache
def _proxy_pool(pool: t.Any) -> t.Any:
    """Return the class of pools for a proxy, which can also be one of SOCKS."""
    connection = type(f"_Proxy{pool.ConnectionCls.__name__}", (_ProxyConnection, pool.ConnectionCls), {})
    return type(f"_Proxy{pool.__name__}", (pool,), {"ConnectionCls": connection})


class _Adapter(HTTPAdapter):
    def __init__(self, trust: DefaultTrust) -> None:
        self._trust = trust
        super().__init__()

    def cert_verify(self, conn: t.Any, url: t.Any, verify: bool | str, cert: t.Any) -> None:
        super().cert_verify(conn, url, verify, cert)
        if verify is True and conn.scheme == "https":
            self._trust.apply(conn, has_client_cert=cert is not None)

    def init_poolmanager(self, *args: t.Any, **options: t.Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, proxy: str, **options: t.Any) -> t.Any:
        is_new = proxy not in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if is_new:
            pools = manager.pool_classes_by_scheme
            manager.pool_classes_by_scheme = {scheme: _proxy_pool(pool) for scheme, pool in pools.items()}
        return manager


class _NoCookies(RequestsCookieJar):
    def set_cookie(self, cookie: t.Any, *args: t.Any, **options: t.Any) -> None:
        pass


def create_session(trust: DefaultTrust) -> requests.Session:
    """Return a session that keeps no cookies and does not read the bodies of redirects."""
    session = requests.Session()
    session.cookies = _NoCookies()
    # requests follows redirects only to a target, and reads the body first, without a limit.
    session.get_redirect_target = lambda resp: None  # type: ignore[method-assign]  # only on this session
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(trust))
    return session
