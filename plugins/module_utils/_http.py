# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP transport over requests, and helpers for URLs. Private to the collection."""

from __future__ import annotations

import dataclasses
import http.client
import threading
import time
import typing as t
import zlib
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._connection import (
    Exchange,
    ForbiddenAddressError,
    create_session,
    in_exchange,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    InputError,
    InvalidContentError,
    TransportError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._text import remember_authorization
from ansible_collections.cgr.pull_through.plugins.module_utils._trust import DefaultTrust, bundle_from_environment

try:
    import requests
    import urllib3.exceptions

    REQUESTS_MISSING: str | None = None
    _ERRORS: tuple[type[Exception], ...] = (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        http.client.HTTPException,
        OSError,
        ValueError,
        ForbiddenAddressError,
    )
except ImportError as exc:
    REQUESTS_MISSING = str(exc)

if t.TYPE_CHECKING:
    from ansible_collections.cgr.pull_through.plugins.module_utils._client_cert import ClientCert

CHUNK = 1 << 20
USER_AGENT = "cgr.pull_through (Ansible collection)"
MAX_RESPONSE_SECONDS = 300.0
MAX_ERROR_SIZE = 64 << 10
_MAX_BODY_SIZE = 64 << 20


@dataclasses.dataclass(frozen=True)
class Request:
    """A request. Its repr hides the headers, which contain credentials, and the body.

    named_by: the URL of the user whose server named this URL; empty if the user did. max_seconds: for the whole response.
    """

    method: str
    url: str
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    body: bytes | None = dataclasses.field(default=None, repr=False)
    named_by: str = ""
    max_seconds: float | None = None


class StreamedResponse(t.Protocol):
    """A response whose body is not read yet. Header names are case-insensitive."""

    status: int
    headers: t.Mapping[str, str]

    def read(self, limit: int = _MAX_BODY_SIZE) -> bytes:
        """Return the body without its content encoding, and close the response.

        Raises InvalidContentError if it has more than limit bytes.
        """

    def read_start(self, limit: int) -> bytes:
        """Return at most limit bytes of the body without its content encoding, and close the response."""

    def chunks(self, size: int = CHUNK) -> t.Iterator[bytes]:
        """Yield the body in chunks, exactly as it was sent."""

    def close(self) -> None:
        """Release the connection. The unread part of the body is lost."""


class Transport(t.Protocol):
    """Sends requests without following redirects. Safe to use from several threads."""

    def send(self, request: Request) -> StreamedResponse:
        """Return the response. Raises TransportError if there is none."""


def redact_url(url: str) -> str:
    """Return the URL without user, password, query (which can be a signature) and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(a URL that is not valid)"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def validate_base_url(url: str, option: str) -> str:
    """Return the URL without a trailing slash.

    Raises InputError unless it has the scheme http or https, a host, and no credentials, query or fragment.
    """
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise InputError(
            f"{option} is not a URL: {redact_url(url) if '//' in url else url!r}.",
            hint="Write it as https://host or https://host:port.",
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InputError(
            f"{option} must not contain credentials, a query or a fragment: {redact_url(url)}.",
            hint="Use the options for credentials, which keep them out of logs.",
        )
    return url.rstrip("/")


class _RequestsResponse:
    def __init__(self, response: requests.Response, request: Request, exchange: Exchange, max_seconds: float) -> None:
        self._response = response
        self._request = request
        self._exchange = exchange
        self._end = exchange.clock() + (request.max_seconds if request.max_seconds is not None else float("inf"))
        self._max_seconds = max_seconds
        self.status = response.status_code
        self.headers: t.Mapping[str, str] = response.headers

    def _stream(self, size: int) -> t.Iterator[bytes]:
        raw = self._response.raw
        try:
            # Not raw.stream(), which reads the lines of a chunked body without a limit.
            while chunk := raw.read(size, decode_content=False):
                yield chunk
            if raw.length_remaining or self._exchange.is_expired:
                raise http.client.IncompleteRead(b"")
        except _ERRORS as exc:
            raise _explain(exc, self._request, self._exchange) from exc
        finally:
            self.close()

    def read(self, limit: int = _MAX_BODY_SIZE) -> bytes:
        body = self.read_start(limit + 1)
        if len(body) > limit:
            raise oversize_error(self._request, limit)
        return body

    def read_start(self, limit: int) -> bytes:
        body = bytearray()
        for chunk in self._decode(self._stream(CHUNK)):
            body += chunk
            if len(body) >= limit:
                del body[limit:]
                break
        self.close()
        return bytes(body)

    def chunks(self, size: int = CHUNK) -> t.Iterator[bytes]:
        for chunk in self._stream(size):
            yield chunk
            rest = self._end - self._exchange.clock()
            self._exchange.limit(min(rest, self._max_seconds), "1 MiB of the response")

    def _decode(self, chunks: t.Iterator[bytes]) -> t.Iterator[bytes]:
        """Yield the body without its content encoding, in bounded pieces. Only a faulty proxy encodes it."""
        encoding = self.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding in ("", "identity"):
            yield from chunks
            return
        decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib
        for chunk in chunks:
            if encoding not in ("gzip", "deflate"):
                raise self._encoding_error(f"the response has the encoding {encoding[:20]}, which was not requested.")
            while chunk and not decoder.eof:
                try:
                    yield decoder.decompress(chunk, CHUNK)
                except zlib.error as exc:
                    raise self._encoding_error(f"the response is not valid {encoding}.") from exc
                chunk = decoder.unconsumed_tail

    def _encoding_error(self, message: str) -> TransportError:
        self.close()
        return _transport_error(self._request, message, "Disable the encoding in the proxy.")

    def close(self) -> None:
        if self._response.raw.length_remaining == 0:
            self._response.raw.release_conn()
        self._response.close()
        self._exchange.close()


class RequestsTransport:
    """Sends with one requests.Session per thread, because a session is not thread-safe. Uses the proxies of the environment.

    timeout: seconds to wait for a connection, and between two reads. max_seconds: for a whole response, and for each
    MiB of one that is read in chunks. end: of the whole run, on the clock.
    verify: True, False, or the path of a PEM bundle. True: the bundle that REQUESTS_CA_BUNDLE or SSL_CERT_FILE names, or
    else that of requests and the system's.
    client_cert: sent only to the origins that it names.
    """

    def __init__(
        self,
        *,
        timeout: float = 30,
        verify: bool | str = True,
        client_cert: ClientCert | None = None,
        max_seconds: float = MAX_RESPONSE_SECONDS,
        end: float = float("inf"),
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self._end = end
        self._clock = clock
        self._timeout = timeout
        self._max_seconds = max_seconds
        self._inside: set[str] = set()
        self._verify = verify
        self._client_cert = client_cert
        self._trust = DefaultTrust()
        self._local = threading.local()
        self._settings_by_origin: dict[tuple[str, str], t.Mapping[str, t.Any]] = {}

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = create_session(self._trust)
        return t.cast("requests.Session", self._local.session)

    def _settings(self, session: requests.Session, url: str) -> t.Mapping[str, t.Any]:
        """Return proxies, certificates and other settings of the origin of a URL."""
        origin = urlsplit(url)[:2]
        if origin not in self._settings_by_origin:
            cert = self._client_cert.for_url(url) if self._client_cert else None
            # Session.request() does this for each request, and reading the environment takes a third of the time of a small one.
            # verify is not set on the session, where REQUESTS_CA_BUNDLE would take precedence.
            settings = session.merge_environment_settings(url, {}, True, self._verify, cert)
            if settings.get("verify") is True and (bundle := bundle_from_environment()):
                settings["verify"] = bundle
            self._settings_by_origin[origin] = settings
        return self._settings_by_origin[origin]

    def send(self, request: Request) -> StreamedResponse:
        # The digest of a compressed body would differ from the expected one.
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **request.headers}
        remember_authorization(headers.get("Authorization", ""))
        now = self._clock()
        seconds = min(self._max_seconds, request.max_seconds or self._max_seconds, self._end - now)
        if seconds <= 0:
            raise _transport_error(request, "not sent, because the time of the run is over.")
        is_inside_allowed = not request.named_by or _netloc(request.named_by) in self._inside
        exchange = Exchange(seconds, is_inside_allowed=is_inside_allowed, clock=self._clock)
        try:
            exchange.validate_host(urlsplit(request.url).hostname or "")
            with in_exchange(exchange):
                response = self._send(request, headers, min(self._timeout, seconds))
        except BaseException as exc:
            exchange.close()
            if isinstance(exc, _ERRORS):
                raise _explain(exc, request, exchange) from exc
            raise
        if exchange.is_inside and not request.named_by:
            self._inside.add(_netloc(request.url))
        result = _RequestsResponse(response, request, exchange, self._max_seconds)
        # Without TLS there is no tunnel, so an error of the proxy arrives as a response.
        if response.status_code == 407:
            _raise_for_proxy(request, result)
        return result

    def _send(self, request: Request, headers: t.Mapping[str, str], timeout: float) -> requests.Response:
        session = self._session()
        prepared = session.prepare_request(
            requests.Request(request.method, request.url, dict(headers), data=request.body, auth=_no_netrc_auth)
        )
        settings = self._settings(session, request.url)
        return session.send(prepared, allow_redirects=False, timeout=timeout, **settings)


def _netloc(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _explain(exc: BaseException, request: Request, exchange: Exchange) -> TransportError:
    """Return the error for an exception of an exchange."""
    if isinstance(exc, ForbiddenAddressError):
        return _transport_error(request, str(exc))
    if exchange.is_expired:
        message = f"{exchange.limit_message}. {_netloc(request.url)} is too slow."
        return _transport_error(request, message, transient=True)
    # Loaded only for a failure, since each import delays the start of each module.
    from ansible_collections.cgr.pull_through.plugins.module_utils._connection_errors import explain_exception

    return _transport_error(request, *explain_exception(exc, request.url))


def _raise_for_proxy(request: Request, response: StreamedResponse) -> None:
    """Close a response with status 407 and raise the error, if the environment sets a proxy for the request."""
    from ansible_collections.cgr.pull_through.plugins.module_utils._connection_errors import Proxy

    if proxy := Proxy.from_environment(request.url):
        response.close()
        raise _transport_error(request, *proxy.explain_status(_netloc(request.url), 407))


def oversize_error(request: Request, limit: int) -> InvalidContentError:
    """Return the error for a response that has more than limit bytes."""
    size = f"{limit >> 20} MiB" if limit >> 20 else f"{limit >> 10} KiB"
    url = redact_url(request.url)
    return InvalidContentError("content", f"the response has more than {size}.", method=request.method, url=url)


def _no_netrc_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Return the request unchanged. Without an auth, requests replaces the Authorization header by an entry of ~/.netrc."""
    return request


def _transport_error(request: Request, message: str, hint: str = "", transient: bool = False) -> TransportError:
    return TransportError(message, method=request.method, url=redact_url(request.url), hint=hint, transient=transient)
