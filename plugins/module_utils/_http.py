# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP for all services: one transport over requests, one JSON session. Private to the collection.

Nothing here knows Ansible. A session takes its transport and its sleep as parameters, so that tests script both.
"""

from __future__ import annotations

import base64
import dataclasses
import email.utils
import json
import random
import re
import threading
import time
import typing as t
from urllib.parse import urlencode, urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._client_cert import ClientCert
from ansible_collections.cgr.pull_through.plugins.module_utils._connection_errors import (
    SET_CLIENT_CERT,
    ConnectionFailure,
    Proxy,
    reason,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    HTTPStatusError,
    InputError,
    TransportError,
)

try:
    import requests
    import urllib3.exceptions

    REQUESTS_MISSING: str | None = None
except ImportError as exc:
    REQUESTS_MISSING = str(exc)

CHUNK = 1 << 20
USER_AGENT = "cgr.pull_through (Ansible collection)"
_BODY_LIMIT = 64 << 20
_MAX_BACKOFF = 60.0
_RETRYABLE_STATUSES = frozenset({429, 502, 503, 504})
_IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "DELETE"})


@dataclasses.dataclass(frozen=True)
class Request:
    """What a transport sends. The headers hold the credentials, so they are never shown."""

    method: str
    url: str
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    body: bytes | None = dataclasses.field(default=None, repr=False)


class StreamedResponse(t.Protocol):
    """What came back. Header names are case-insensitive."""

    status: int
    headers: t.Mapping[str, str]

    def read(self, limit: int = _BODY_LIMIT) -> bytes:
        """Return at most limit bytes of the body, with any content encoding undone, and close the answer."""

    def chunks(self, size: int = CHUNK) -> t.Iterator[bytes]:
        """Yield the body exactly as it was sent, chunk by chunk."""

    def close(self) -> None:
        """Give the connection back. What was not read is lost."""


class Transport(t.Protocol):
    """Sends one request and follows nothing. Raises Unanswered. Safe to use from several threads."""

    def send(self, request: Request) -> StreamedResponse:
        """Return the answer with its body still unread."""


def redact_url(url: str) -> str:
    """Return the URL as it may be shown: no user, no password, no query (which can be a signature)."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def validate_base_url(url: str, option: str) -> str:
    """Return the URL without a trailing slash, or raise InputError: https or http, a host, no credentials, no query."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise InputError(
            f"{option} is not a URL: {redact_url(url) if '//' in url else url!r}.",
            hint="Write it as https://host or https://host:port.",
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InputError(
            f"{option} must not contain credentials, a query or a fragment: {redact_url(url)}.",
            hint="Credentials have options of their own, which keep them out of logs.",
        )
    return url.rstrip("/")


def basic_authorization(username: str, password: str) -> str:
    """Return the value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


class _RequestsAnswer:
    def __init__(self, response: requests.Response, request: Request) -> None:
        self._response = response
        self._request = request
        self.status = response.status_code
        self.headers: t.Mapping[str, str] = response.headers

    def _stream(self, size: int, *, decode: bool) -> t.Iterator[bytes]:
        try:
            yield from self._response.raw.stream(size, decode_content=decode)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
            raise _unanswered(exc, self._request) from exc
        finally:
            self.close()

    def read(self, limit: int = _BODY_LIMIT) -> bytes:
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
    """Sends over requests, with one requests.Session per thread, since a session is not made to be shared.

    timeout: seconds to wait for a connection, and between two reads.
    verify: True, False, or the path of a PEM bundle. It is given with each request, as REQUESTS_CA_BUNDLE would win over
    the session's own setting.
    client_cert: shown to the servers that it names.
    Proxies are those of the environment.
    """

    def __init__(
        self, *, timeout: float = 30, verify: bool | str = True, client_cert: ClientCert | None = None
    ) -> None:
        self._timeout = timeout
        self._verify = verify
        self._client_cert = client_cert
        self._local = threading.local()

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        return t.cast("requests.Session", self._local.session)

    def send(self, request: Request) -> StreamedResponse:
        # A body that a server compresses unasked would no longer have the digest that the registry promised.
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **request.headers}
        try:
            response = self._session().request(
                request.method,
                request.url,
                headers=headers,
                data=request.body,
                auth=_no_netrc_auth,
                allow_redirects=False,
                stream=True,
                timeout=self._timeout,
                verify=self._verify,
                cert=self._client_cert.for_url(request.url) if self._client_cert else None,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
            raise _unanswered(exc, request) from exc
        # Without TLS, what a proxy has to say comes like any answer.
        if response.status_code == 407 and (proxy := Proxy.of(request.url)):
            response.close()
            raise _transport_error(proxy.refused(urlsplit(request.url).netloc.rpartition("@")[2], 407), request)
        return _RequestsAnswer(response, request)


def _no_netrc_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Stand in as requests' auth: without one, a matching entry in ~/.netrc replaces our Authorization header."""
    return request


def _unanswered(exc: BaseException, request: Request) -> TransportError:
    return _transport_error(reason(exc, request.url), request)


def _transport_error(why: ConnectionFailure, request: Request) -> TransportError:
    return TransportError(
        why.message, method=request.method, url=redact_url(request.url), hint=why.hint, transient=why.transient
    )


def backoff(attempt: int, headers: t.Mapping[str, str] | None = None) -> float:
    """Return the seconds to wait before the next attempt: what the server asks for, else 1, 2, 4, … with jitter; at most 60."""
    asked = (headers or {}).get("Retry-After", "")
    if asked.isdigit():
        return min(float(asked), _MAX_BACKOFF)
    return min(2.0 ** (attempt - 1), _MAX_BACKOFF) * random.uniform(0.8, 1.2)


@dataclasses.dataclass(frozen=True)
class Response:
    """An answer that was read whole."""

    status: int
    headers: t.Mapping[str, str]
    text: str

    def json(self) -> t.Any:
        """Return the decoded body; None when it is not JSON."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None


class ApiErrorParser(t.Protocol):
    """What a session has to know of the service that it talks to."""

    name: str

    def response_message(self, reply: Response) -> str:
        """Return the words of an error reply."""

    def hint(self, reply: Response) -> str:
        """Return the likely cause of an error reply, and what to do."""

    def is_retryable(self, reply: Response) -> bool:
        """Return whether the same request can succeed in a moment, over and above 429, 502, 503 and 504."""


class ApiSession:
    """One base URL, one login, bounded retries, JSON in and out. Follows no redirect: it would turn a write into a GET."""

    def __init__(
        self,
        base_url: str,
        service: ApiErrorParser,
        *,
        transport: Transport,
        authorization: t.Callable[[], str] | None = None,
        tries: int = 4,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = base_url
        self.service = service
        self._transport = transport
        self._authorization = authorization
        self._tries = tries
        self._sleep = sleep
        self._clock_skew = 0.0

    def now(self) -> float:
        """Return the service's time (epoch seconds), as its last answer told it. The controller's clock may be wrong."""
        return time.time() + self._clock_skew

    def call(
        self,
        method: str,
        path: str,
        *,
        query: t.Mapping[str, t.Any] | None = None,
        body: t.Any = None,
        form: t.Mapping[str, t.Any] | None = None,
        text: str | None = None,
        idempotent: bool | None = None,
        absent: t.Callable[[Response], bool] = lambda reply: reply.status == 404,
        absent_ok: bool = False,
    ) -> t.Any:
        """Send a request and return the decoded body.

        body is sent as JSON, form as a form, text as it is. Returns None when absent_ok and absent(reply). Raises Refused, Unanswered.
        Retries what is safe to repeat; repeatable says so for a POST or PUT that does no harm twice.
        """
        url = self.base_url + path + (f"?{urlencode(query, doseq=True)}" if query else "")
        content = _encoded(body, form) if text is None else text.encode()
        request = Request(method, url, self._headers(body, form, text), content)
        reply = self._send(request, method in _IDEMPOTENT_METHODS if idempotent is None else idempotent)
        if absent_ok and absent(reply):
            return None
        if 300 <= reply.status < 400:
            raise self._redirected(request, reply)
        if reply.status >= 400:
            raise self._refused(request, reply)
        decoded, html = reply.json(), "html" in reply.headers.get("Content-Type", "")
        # A write may be answered with a sentence.
        if html or (decoded is None and (method == "GET" or form is not None)):
            response_message = "an HTML page" if html else "something that is not JSON"
            hint = f"This is no answer of {self.service.name}'s API: check the URL, and whether a login page or a proxy answers instead."
            raise HTTPStatusError(reply.status, response_message, method=method, url=redact_url(url), hint=hint)
        return decoded

    def create(self, method: str, path: str, body: t.Any, *, exists: t.Callable[[], bool]) -> None:
        """Send a creation. When the answer leaves it open whether it was done, it is not sent again: exists() tells."""
        try:
            self.call(method, path, body=body, idempotent=False)
        except (HTTPStatusError, TransportError) as exc:
            unsure = isinstance(exc, TransportError) or exc.status >= 500
            if not unsure or not exists():
                raise

    def _headers(self, body: t.Any, form: t.Any, text: str | None) -> dict[str, str]:
        headers = {"Accept": "application/json, text/plain;q=0.9"}
        if self._authorization is not None:
            headers["Authorization"] = self._authorization()
        if body is not None:
            headers["Content-Type"] = "application/json"
        elif form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif text is not None:
            headers["Content-Type"] = "text/plain"
        return headers

    def _send(self, request: Request, idempotent: bool) -> Response:
        for attempt in range(1, self._tries + 1):
            last = attempt == self._tries
            try:
                answer = self._transport.send(request)
                reply = Response(answer.status, answer.headers, answer.read().decode("utf-8", "replace"))
            except TransportError as exc:
                if last or not idempotent or not exc.transient:
                    raise
                self._sleep(backoff(attempt))
                continue
            self._update_clock_skew(reply)
            # 429 says that nothing was done; the others leave it open.
            again = (
                reply.status == 429
                or (idempotent and reply.status in _RETRYABLE_STATUSES)
                or self.service.is_retryable(reply)
            )
            if last or not again:
                return reply
            self._sleep(backoff(attempt, reply.headers))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _update_clock_skew(self, reply: Response) -> None:
        try:
            told = email.utils.parsedate_to_datetime(reply.headers.get("Date", "")).timestamp()
        except (TypeError, ValueError):
            return
        self._clock_skew = told - time.time()

    def _redirected(self, request: Request, reply: Response) -> HTTPStatusError:
        target = redact_url(reply.headers.get("Location", ""))
        hint = f"Set the URL of {self.service.name} to where it really is: redirects are not followed, as they lose writes."
        return HTTPStatusError(
            reply.status, f"a redirect to {target}", method=request.method, url=redact_url(request.url), hint=hint
        )

    def _refused(self, request: Request, reply: Response) -> HTTPStatusError:
        hint = self.service.hint(reply)
        if "html" in reply.headers.get("Content-Type", ""):
            title = re.search(r"<title>(.*?)</title>", reply.text, re.IGNORECASE | re.DOTALL)
            response_message = f"an HTML page{f' titled {title[1].strip()!r}' if title else ''}"
            # In the words of nginx, which answers so instead of ending the handshake.
            hint = SET_CLIENT_CERT if "SSL certificate" in response_message else hint
        else:
            response_message = self.service.response_message(reply)
        return HTTPStatusError(
            reply.status, response_message, method=request.method, url=redact_url(request.url), hint=hint
        )


def _encoded(body: t.Any, form: t.Mapping[str, t.Any] | None) -> bytes | None:
    if body is not None:
        return json.dumps(body).encode()
    if form is not None:
        return urlencode(form, doseq=True).encode()
    return None
