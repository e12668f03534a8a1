# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of a remote repository to its upstream: authentication and redirects.

See facts/artifactory.md#upstream-failures and facts/registry.md#challenges-and-tokens.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from .trace import record

_GATEWAY_ERRORS = frozenset({502, 503, 504, 505})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class UnreachableError(Exception):
    """A connection failure, or a response of a gateway (502 to 505)."""


class TokenRejectedError(Exception):
    """The upstream's token service issued no token."""

    def __init__(self, realm: str, scope: str) -> None:
        super().__init__(realm)
        self.realm = realm
        self.scope = scope


class Upstream:
    """The server behind one remote repository. `fields` returns the current configuration."""

    def __init__(self, http: httpx.AsyncClient, fields: Callable[[], Mapping[str, Any]]) -> None:
        self._http = http
        self._fields = fields
        self.requests: Counter[str] = Counter()

    def _basic_authorization(self) -> str:
        fields = self._fields()
        if not (fields["username"] and fields["password"]):
            return ""
        pair = f"{fields['username']}:{fields['password']}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    @asynccontextmanager
    async def _reading(self, response: httpx.Response) -> AsyncIterator[httpx.Response]:
        """Wrap the reading of a body, and close the response afterwards. Raises UnreachableError."""
        try:
            yield response
        except httpx.TransportError as error:
            raise UnreachableError(str(error)) from error
        finally:
            await response.aclose()

    async def _follow(self, method: str, url: str, accept: str, authorization: str) -> httpx.Response:
        """Send a request and follow redirects; credentials go to another host only with allowAnyHostAuth."""
        response = await self._send(method, url, accept, authorization)
        for _ignored in range(_MAX_REDIRECTS):
            target = self._target(url, response)
            if target is None:
                break
            await response.aclose()
            if urlsplit(target).netloc != urlsplit(url).netloc and not self._fields()["allowAnyHostAuth"]:
                authorization = ""
            url = target
            response = await self._send(method, url, accept, authorization)
        return response

    def _target(self, url: str, response: httpx.Response) -> str | None:
        """The URL of a redirect, or None for a final response."""
        return urljoin(url, response.headers["location"]) if response.status_code in REDIRECTS else None

    async def _send(
        self, method: str, url: str, accept: str, authorization: str, counted_as: str | None = None
    ) -> httpx.Response:
        self.requests[counted_as or method] += 1
        headers = {"Accept": accept, "Accept-Encoding": "identity", "User-Agent": "Artifactory"}
        if authorization:
            headers["Authorization"] = authorization
        timeout = self._fields()["socketTimeoutMillis"] / 1000
        try:
            request = self._http.build_request(method, url, headers=headers, timeout=timeout)
            response = await self._http.send(request, stream=True, follow_redirects=False)
        except httpx.TransportError as error:
            record(f"{method} {url}: {error}")
            raise UnreachableError(str(error)) from error
        record(f"{method} {url}: received status {response.status_code} {response.reason_phrase}".rstrip())
        if response.status_code in _GATEWAY_ERRORS:
            await response.aclose()
            raise UnreachableError(f"{method} {urlsplit(url).netloc}: {response.status_code}")
        return response


class TokenCache:
    """Bearer tokens of all upstreams. `seconds()` is how long one is kept, regardless of its own TTL."""

    def __init__(self, now: Callable[[], float], seconds: Callable[[], float]) -> None:
        self._now = now
        self._seconds = seconds
        self._tokens: dict[tuple[str, ...], tuple[str, float]] = {}

    def get(self, key: tuple[str, ...]) -> str:
        """The token of a key, or an empty text."""
        token, stored = self._tokens.get(key, ("", 0.0))
        return token if self._now() < stored + self._seconds() else ""

    def put(self, key: tuple[str, ...], token: str) -> None:
        self._tokens[key] = (token, self._now())


@dataclass(frozen=True)
class TokenRequest:
    """Where a Bearer challenge wants a token from, and for what."""

    realm: str
    service: str
    scope: str


class RegistryUpstream(Upstream):
    """A registry, which can require a bearer token. `uses_tokens()`: whether the repository requests one.

    `token_key(request)`: the key of a token in the cache, which outlives changes of the repository.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        fields: Callable[[], Mapping[str, Any]],
        uses_tokens: Callable[[], bool],
        tokens: TokenCache,
        token_key: Callable[[TokenRequest], tuple[str, ...]],
    ) -> None:
        super().__init__(http, fields)
        self._uses_tokens = uses_tokens
        self._tokens = tokens
        self._token_key = token_key
        self._challenges: dict[tuple[str, str], TokenRequest] = {}

    def url(self, path: str) -> str:
        """The URL of a registry path; a path in the repository's URL is ignored."""
        parts = urlsplit(self._fields()["url"])
        return f"{parts.scheme}://{parts.netloc}/v2/{path}"

    @asynccontextmanager
    async def open(
        self, method: str, path: str, image: str, accept: str = "*/*", scope: str = ""
    ) -> AsyncIterator[httpx.Response]:
        """The final response of the upstream with an unread body. Raises UnreachableError, TokenRejectedError."""
        response = await self._authorized(method, self.url(path), scope or f"repository:{image}:pull", accept)
        async with self._reading(response):
            yield response

    async def _authorized(self, method: str, url: str, scope: str, accept: str) -> httpx.Response:
        """The response to a cached token, whatever its status, or to a token that the challenge requires."""
        authorization = self._get_authorization(scope)
        response = await self._follow(method, url, accept, authorization)
        if response.status_code == 401 and self._uses_tokens() and not authorization:
            challenge = response.headers.get("www-authenticate", "")
            await response.aclose()
            response = await self._follow(method, url, accept, await self._authorize(challenge, scope))
        return response

    def _get_authorization(self, scope: str) -> str:
        """The Authorization of a first request: a cached token, or without token authentication Basic or nothing."""
        if not self._uses_tokens():
            return self._basic_authorization()
        challenge = self._challenges.get((self._fields()["url"], scope))
        token = self._tokens.get(self._token_key(challenge)) if challenge else ""
        return f"Bearer {token}" if token else ""

    async def _authorize(self, challenge: str, scope: str) -> str:
        scheme, _ignored, rest = challenge.partition(" ")
        if scheme.lower() != "bearer":
            return self._basic_authorization()
        parameters = dict(_PARAMETER.findall(rest))
        request = TokenRequest(parameters["realm"], parameters.get("service", ""), parameters.get("scope", scope))
        self._challenges[self._fields()["url"], scope] = request
        key = self._token_key(request)
        token = self._tokens.get(key)
        if not token:
            token = await self._request_token(request)
            self._tokens.put(key, token)
        return f"Bearer {token}"

    async def _request_token(self, request: TokenRequest) -> str:
        url = str(httpx.URL(request.realm).copy_merge_params({"service": request.service, "scope": request.scope}))
        response = await self._send("GET", url, "application/json", self._basic_authorization(), counted_as="TOKEN")
        try:
            if response.status_code != 200:
                raise TokenRejectedError(request.realm, request.scope)
            await response.aread()
            body = response.json()
        finally:
            await response.aclose()
        return str(body.get("token") or body["access_token"])
