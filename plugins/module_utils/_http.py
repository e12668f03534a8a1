# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP transport over requests, and helpers for URLs. Private to the collection."""

from __future__ import annotations

import dataclasses
import threading
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._client_cert import ClientCert
from ansible_collections.cgr.pull_through.plugins.module_utils._connection_errors import (
    ConnectionFailure,
    Proxy,
    explain_exception,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, TransportError

try:
    import requests
    import urllib3.exceptions

    REQUESTS_MISSING: str | None = None
except ImportError as exc:
    REQUESTS_MISSING = str(exc)

CHUNK = 1 << 20
USER_AGENT = "cgr.pull_through (Ansible collection)"
_MAX_BODY_SIZE = 64 << 20


@dataclasses.dataclass(frozen=True)
class Request:
    """A request. Its repr hides the headers, which contain credentials, and the body."""

    method: str
    url: str
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    body: bytes | None = dataclasses.field(default=None, repr=False)


class StreamedResponse(t.Protocol):
    """A response whose body is not read yet. Header names are case-insensitive."""

    status: int
    headers: t.Mapping[str, str]

    def read(self, limit: int = _MAX_BODY_SIZE) -> bytes:
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
    def __init__(self, response: requests.Response, request: Request) -> None:
        self._response = response
        self._request = request
        self.status = response.status_code
        self.headers: t.Mapping[str, str] = response.headers

    def _stream(self, size: int, *, decode: bool) -> t.Iterator[bytes]:
        try:
            yield from self._response.raw.stream(size, decode_content=decode)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
            raise _transport_error(explain_exception(exc, self._request.url), self._request) from exc
        finally:
            self.close()

    def read(self, limit: int = _MAX_BODY_SIZE) -> bytes:
        body = bytearray()
        for chunk in self._stream(CHUNK, decode=True):
            body += chunk
            if len(body) >= limit:
                break
        return bytes(body[:limit])

    def chunks(self, size: int = CHUNK) -> t.Iterator[bytes]:
        return self._stream(size, decode=False)

    def close(self) -> None:
        self._response.close()


class RequestsTransport:
    """Sends with one requests.Session per thread, because a session is not thread-safe. Uses the proxies of the environment.

    timeout: seconds to wait for a connection, and between two reads.
    verify: True, False, or the path of a PEM bundle.
    client_cert: sent only to the origins that it names.
    """

    def __init__(
        self, *, timeout: float = 30, verify: bool | str = True, client_cert: ClientCert | None = None
    ) -> None:
        self._timeout = timeout
        self._verify = verify
        self._client_cert = client_cert
        self._local = threading.local()
        self._settings_by_origin: dict[tuple[str, str], t.Mapping[str, t.Any]] = {}

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        return t.cast("requests.Session", self._local.session)

    def _settings(self, session: requests.Session, url: str) -> t.Mapping[str, t.Any]:
        """Return proxies, certificates and other settings of the origin of a URL."""
        origin = urlsplit(url)[:2]
        if origin not in self._settings_by_origin:
            cert = self._client_cert.for_url(url) if self._client_cert else None
            # Session.request() does this for each request, and reading the environment takes a third of the time of a small one.
            # verify is not set on the session, where REQUESTS_CA_BUNDLE would take precedence.
            self._settings_by_origin[origin] = session.merge_environment_settings(url, {}, True, self._verify, cert)
        return self._settings_by_origin[origin]

    def send(self, request: Request) -> StreamedResponse:
        # The digest of a compressed body would differ from the expected one.
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **request.headers}
        session = self._session()
        try:
            prepared = session.prepare_request(
                requests.Request(request.method, request.url, headers, data=request.body, auth=_no_netrc_auth)
            )
            settings = self._settings(session, request.url)
            response = session.send(prepared, allow_redirects=False, timeout=self._timeout, **settings)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
            raise _transport_error(explain_exception(exc, request.url), request) from exc
        # Without TLS there is no tunnel, so an error of the proxy arrives as a response.
        if response.status_code == 407 and (proxy := Proxy.from_environment(request.url)):
            response.close()
            raise _transport_error(proxy.explain_status(urlsplit(request.url).netloc.rpartition("@")[2], 407), request)
        return _RequestsResponse(response, request)


def _no_netrc_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Return the request unchanged. Without an auth, requests replaces the Authorization header by an entry of ~/.netrc."""
    return request


def _transport_error(failure: ConnectionFailure, request: Request) -> TransportError:
    return TransportError(
        failure.message,
        method=request.method,
        url=redact_url(request.url),
        hint=failure.hint,
        transient=failure.transient,
    )
