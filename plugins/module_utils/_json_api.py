# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session with a JSON API: credentials, retries, error responses. Private to the collection."""

from __future__ import annotations

import email.utils
import json
import time
import typing as t
from urllib.parse import urlencode, urljoin

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    SET_CLIENT_CERT,
    HTTPStatusError,
    InvalidContentError,
    RequestError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._html import describe_html, is_html
from ansible_collections.cgr.pull_through.plugins.module_utils._http import (
    MAX_ERROR_SIZE,
    Request,
    StreamedResponse,
    Transport,
    redact_url,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._json_document import parse_json
from ansible_collections.cgr.pull_through.plugins.module_utils._retry import is_retryable, retry
from ansible_collections.cgr.pull_through.plugins.module_utils._shape import ShapeError, validate_shape

_IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "DELETE"})


class Response(t.NamedTuple):
    """A response with its whole body."""

    status: int
    headers: t.Mapping[str, str]
    text: str

    def json(self) -> t.Any:
        """Return the decoded body. None if it is not JSON."""
        try:
            return parse_json(self.text)
        except ValueError:
            return None


class EncodedBody(t.NamedTuple):
    """The body of a request to the few endpoints that do not accept JSON."""

    content: bytes
    content_type: str

    @classmethod
    def form(cls, fields: t.Mapping[str, t.Any]) -> EncodedBody:
        return cls(urlencode(fields, doseq=True).encode(), "application/x-www-form-urlencoded")

    @classmethod
    def text(cls, text: str) -> EncodedBody:
        return cls(text.encode(), "text/plain")


class ApiErrorParser(t.Protocol):
    """Reads the error responses of one service."""

    name: str
    url_option: str

    def response_message(self, response: Response) -> str:
        """Return the message of an error response."""

    def hint(self, response: Response) -> str:
        """Return the likely cause of an error response, and what to do."""

    def is_retryable(self, response: Response) -> bool:
        """Return whether the service did nothing and accepts any request again, as with status 429."""


def _read_text(response: StreamedResponse) -> str:
    """Return the body of a success, and the start of that of an error. The body of a redirect is not read."""
    if 300 <= response.status < 400:
        response.close()
        return ""
    body = response.read() if response.status < 300 else response.read_start(MAX_ERROR_SIZE)
    return body.decode("utf-8", "replace")


def is_not_found(response: Response) -> bool:
    """Return whether the status is 404."""
    return response.status == 404


class ApiSession:
    """Sends JSON requests to one base URL with one set of credentials. Does not follow redirects: they turn a write into a GET.

    authorization: returns the value of the Authorization header; empty for none.
    """

    def __init__(
        self,
        base_url: str,
        service: ApiErrorParser,
        *,
        transport: Transport,
        authorization: t.Callable[[], str],
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = base_url
        self.service = service
        self._transport = transport
        self._authorization = authorization
        self._sleep = sleep
        self._clock_skew = 0.0

    def server_time(self) -> float:
        """Return the time of the service (epoch seconds), from its last response. The controller's clock may be wrong."""
        return time.time() + self._clock_skew

    def call(
        self,
        method: str,
        path: str,
        *,
        query: t.Mapping[str, t.Any] | None = None,
        body: t.Any = None,
        idempotent: bool | None = None,
        absent: t.Callable[[Response], bool] | None = None,
        shape: t.Any = None,
    ) -> t.Any:
        """Send a request and return the decoded body. Retries it by the policy of _retry.py.

        body: sent as JSON, unless it is an EncodedBody.
        idempotent: whether the request can be repeated. By default, GET, HEAD and DELETE can.
        absent: tells which error response means that the object does not exist. The result is None then.
        shape: the documented shape of the body, see _shape.py.
        Raises HTTPStatusError, InvalidContentError, and TransportError if there is no response.
        """
        request = self._request(method, self._url(path, query), body)
        response = self._send_with_retry(
            request, method in _IDEMPOTENT_METHODS if idempotent is None else idempotent, absent
        )
        # Writes may return plain text.
        needs_json = method == "GET" or isinstance(body, EncodedBody)
        if response is None:
            return None
        decoded = self._decode(request, response, needs_json=needs_json)
        try:
            validate_shape(decoded, shape)
        except ShapeError as exc:
            raise self._shape_error(request, str(exc)) from exc
        return decoded

    def get_text(self, path: str, *, query: t.Mapping[str, t.Any]) -> str:
        """Return a body that is not JSON. Raises the same exceptions as call()."""
        response = self._send_with_retry(self._request("GET", self._url(path, query), None), True, None)
        return "" if response is None else response.text

    def _url(self, path: str, query: t.Mapping[str, t.Any] | None) -> str:
        return self.base_url + path + (f"?{urlencode(query, doseq=True)}" if query else "")

    def _send_with_retry(
        self, request: Request, idempotent: bool, absent: t.Callable[[Response], bool] | None
    ) -> Response | None:
        """Return the response, or None if the object does not exist. Parameters: see call()."""

        def send() -> Response | None:
            response = self._send(request)
            if absent is not None and absent(response):
                return None
            if response.status >= 300:
                raise self._error(request, response)
            return response

        return retry(send, lambda error: is_retryable(error, idempotent=idempotent), sleep=self._sleep)

    def create(self, method: str, path: str, body: t.Any, *, exists: t.Callable[[], bool]) -> None:
        """Send a creation once. If its effect is unknown after an error, exists() decides whether it succeeded."""
        try:
            self.call(method, path, body=body, idempotent=False)
        except RequestError as exc:
            if not exc.has_unknown_effect or not exists():
                raise

    def _request(self, method: str, url: str, body: t.Any) -> Request:
        headers = {"Accept": "application/json, text/plain;q=0.9"}
        if authorization := self._authorization():
            headers["Authorization"] = authorization
        if body is None:
            return Request(method, url, headers)
        encoded = body if isinstance(body, EncodedBody) else EncodedBody(json.dumps(body).encode(), "application/json")
        return Request(method, url, {**headers, "Content-Type": encoded.content_type}, encoded.content)

    def _send(self, request: Request) -> Response:
        streamed = self._transport.send(request)
        response = Response(streamed.status, streamed.headers, _read_text(streamed))
        self._update_clock_skew(response)
        return response

    def _update_clock_skew(self, response: Response) -> None:
        try:
            server_time = email.utils.parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
        except (TypeError, ValueError):
            return
        self._clock_skew = server_time - time.time()

    def _decode(self, request: Request, response: Response, *, needs_json: bool) -> t.Any:
        html, problem = is_html(response.headers), ""
        try:
            decoded = None if html else parse_json(response.text)
        except ValueError as exc:
            decoded, problem = None, str(exc)
        if problem.startswith("it "):
            raise self._shape_error(request, problem)
        if html or (decoded is None and needs_json):
            raise HTTPStatusError(
                response.status,
                "an HTML page" if html else "a body that is not JSON",
                method=request.method,
                url=redact_url(request.url),
                hint=f"This is not a response of the {self.service.name} API. Check the URL, and whether a login page or a proxy responds instead.",
            )
        return decoded

    def _shape_error(self, request: Request, problem: str) -> InvalidContentError:
        return InvalidContentError(
            "content",
            f"the response is something else than documented: {problem}.",
            method=request.method,
            url=redact_url(request.url),
            hint=f"Check that this is the URL of {self.service.name}, and whether a proxy changes responses.",
        )

    def _error(self, request: Request, response: Response) -> HTTPStatusError:
        response_message, hint = self._explain(request, response)
        return HTTPStatusError(
            response.status,
            response_message,
            method=request.method,
            url=redact_url(request.url),
            hint=hint,
            headers=response.headers,
            unprocessed=response.status == 429 or self.service.is_retryable(response),
        )

    def _explain(self, request: Request, response: Response) -> tuple[str, str]:
        """Return the message and the hint for an error response."""
        if response.status < 400:
            return self._explain_redirect(request, response)
        if not is_html(response.headers):
            return self.service.response_message(response), self.service.hint(response)
        page = describe_html(response.text)
        # nginx sends this page instead of failing the TLS handshake.
        return page, SET_CLIENT_CERT if "SSL certificate" in page else self.service.hint(response)

    def _explain_redirect(self, request: Request, response: Response) -> tuple[str, str]:
        location = response.headers.get("Location", "")
        if not location:
            return "a redirect without a target", f"Check {self.service.url_option}."
        try:
            target = redact_url(urljoin(request.url, location))
        except ValueError:
            return "a redirect to a URL that is not valid", f"Check {self.service.url_option}."
        path = redact_url(request.url).removeprefix(self.base_url)
        # A target with another path is another page, such as a login page.
        has_same_path = target.endswith(path)
        base_url = target.removesuffix(path)
        fix = f"Set {self.service.url_option} to {base_url}." if has_same_path else f"Check {self.service.url_option}."
        return f"a redirect to {target}", f"{fix} Redirects are not followed, because they lose writes."
