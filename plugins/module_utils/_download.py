# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One download: redirects and refusals. Private to the collection.

Redirects are followed here and not by the HTTP library, which hands credentials on in some cases.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import re
import threading
import typing as t
from urllib.parse import urljoin, urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import HTTPStatusError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import (
    Request,
    StreamedResponse,
    Transport,
    basic_authorization,
    redact_url,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import Limits

_MAX_REDIRECTS = 5
ERROR_LIMIT = 64 << 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# The last is how servers word a redirect, which a cache can hold in place of what it leads to.
_HTML = re.compile(r"\s*<(!doctype html|html\b|head\b|body\b|a href=)", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class DownloadError(HTTPStatusError):
    """An answer other than the one that was asked for.

    code: a registry's own error code, such as MANIFEST_UNKNOWN; empty if there is none.
    html: whether the answer was a web page, so not from the service that was meant.
    by_token_service: whether it came from a registry's token service and not from the registry itself.
    """

    def __init__(
        self,
        status: int,
        response_message: str,
        *,
        url: str,
        headers: t.Mapping[str, str],
        hint: str = "",
        code: str = "",
        html: bool = False,
    ) -> None:
        super().__init__(status, response_message, method="GET", url=redact_url(url), hint=hint)
        self.headers = headers
        self.code = code
        self.html = html
        self.by_token_service = False

    def details(self) -> dict[str, t.Any]:
        return {**super().details(), "code": self.code}


@dataclasses.dataclass(frozen=True)
class Credentials:
    """Who asks. With neither username nor bearer: anyone. A bearer is sent as it is, without asking for a token."""

    username: str = ""
    password: str = dataclasses.field(default="", repr=False)
    bearer: str = dataclasses.field(default="", repr=False)

    @property
    def is_anonymous(self) -> bool:
        return not self.username and not self.bearer

    @property
    def basic(self) -> str:
        """The value of an Authorization header; empty without a username."""
        return basic_authorization(self.username, self.password) if self.username else ""

    @property
    def authorization(self) -> str:
        """What to send to a server that takes a login without asking for it first; empty for anyone."""
        return f"Bearer {self.bearer}" if self.bearer else self.basic


class Origin(t.NamedTuple):
    """What has to be equal for credentials to be sent."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """Return the origin of a URL; raise ValueError for one that cannot be used."""
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError(url)
        return cls(parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme])

    @property
    def is_private(self) -> bool:
        """Whether the host is written as an address that only means something on this machine or in this network."""
        try:
            return ipaddress.ip_address(self.host).is_private
        except ValueError:
            return self.host == "localhost"


def redirect_error(server: Origin, target: str) -> str:
    """Return why a server must not send us to a URL; empty when it may.

    Downgrades to plain HTTP, and addresses inside the network that a server outside cannot know of.
    """
    try:
        there = Origin.of(target)
    except ValueError:
        return "that is no http or https URL"
    if server.scheme == "https" and there.scheme == "http":
        return "that is not encrypted, while the first is"
    if there.is_private and there.host != server.host and not server.is_private:
        return "that is an address inside a network, given by a server with a public name"
    return ""


@dataclasses.dataclass
class TransferStats:
    """Requests sent and bytes of content received, by all threads."""

    requests: int = 0
    bytes: int = 0
    _lock: threading.Lock = dataclasses.field(default_factory=threading.Lock, repr=False)

    def add(self, *, requests: int = 0, received: int = 0) -> None:
        with self._lock:
            self.requests += requests
            self.bytes += received


class DownloadClient:
    """Sends requests that only read, for one server. Its credentials go to its own origin, and nowhere else."""

    def __init__(
        self, base_url: str, transport: Transport, counter: TransferStats, limits: Limits | None = None
    ) -> None:
        self.origin = Origin.of(base_url)
        self._transport = transport
        self._counter = counter
        self._limits = limits or Limits()

    def get(
        self, url: str, *, accept: str, authorization: str = "", method: str = "GET"
    ) -> tuple[StreamedResponse, str]:
        """Return the answer, its body still unread, and the URL that gave it. Raises Unanswered, DownloadRefused."""
        for _hop in range(_MAX_REDIRECTS + 1):
            answer = self._send(method, url, accept, authorization if Origin.of(url) == self.origin else "")
            if answer.status not in _REDIRECTS:
                return answer, url
            answer.read(ERROR_LIMIT)  # a connection whose answer was read can be used again
            url = self._target(url, answer)
        raise DownloadError(answer.status, f"more than {_MAX_REDIRECTS} redirects", url=url, headers=answer.headers)

    def get_token(self, url: str, *, authorization: str) -> bytes:
        """Return the body of a token service's answer. A token service may live on any origin, and never redirects."""
        answer = self._send("GET", url, "application/json", authorization)
        if answer.status != 200:
            refusal = parse_error_response(answer, url)
            refusal.by_token_service = True
            raise refusal
        return answer.read(ERROR_LIMIT)

    def _send(self, method: str, url: str, accept: str, authorization: str) -> StreamedResponse:
        self._limits.acquire()
        headers = {"Accept": accept, **({"Authorization": authorization} if authorization else {})}
        self._counter.add(requests=1)
        return self._transport.send(Request(method, url, headers))

    def _target(self, url: str, answer: StreamedResponse) -> str:
        target = urljoin(url, answer.headers.get("Location", ""))
        why = redirect_error(self.origin, target) or redirect_error(Origin.of(url), target)
        if why:
            raise DownloadError(
                answer.status, f"a redirect to {redact_url(target)}: {why}", url=url, headers=answer.headers
            )
        return target


def is_html(answer: StreamedResponse, text: str) -> bool:
    """Return whether an answer is a web page: of a proxy, a login, a redirect, or another site."""
    return "html" in answer.headers.get("Content-Type", "") or bool(_HTML.match(text))


def parse_error_response(answer: StreamedResponse, url: str) -> DownloadError:
    """Return an answer that is no success as an error, with the words of either JSON form."""
    text = answer.read(ERROR_LIMIT).decode("utf-8", "replace")
    if is_html(answer, text):
        title = re.search(r"<title>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        response_message = f"an HTML page{f' titled {title[1].strip()!r}' if title else ''}"
        return DownloadError(answer.status, response_message, url=url, headers=answer.headers, html=True)
    errors = _errors(text)
    response_message = (
        "; ".join(str(error.get("message") or error.get("code") or error) for error in errors) if errors else text
    )
    code = next((str(error["code"]) for error in errors if error.get("code")), "")
    return DownloadError(answer.status, response_message, url=url, headers=answer.headers, code=code)


def _errors(text: str) -> list[dict[str, t.Any]]:
    try:
        found = json.loads(text)["errors"]
    except (ValueError, KeyError, TypeError):
        return []
    return [error for error in found if isinstance(error, dict)] if isinstance(found, list) else []
