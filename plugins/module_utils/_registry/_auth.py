# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a registry's challenge is answered: Bearer tokens per repository, or Basic. Private to the collection."""

from __future__ import annotations

import dataclasses
import json
import re
import threading
import time
import typing as t
from urllib.parse import parse_qsl, urlencode, urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._download import DownloadClient
from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import MAX_ERROR_SIZE, DownloadError
from ansible_collections.cgr.pull_through.plugins.module_utils._origin import Origin, redirect_error

_SHORTEST_LIFE = 60.0
_REFRESH_AT = 0.8

_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))")
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"[\s,]*({_WORD})(?:\s+|(?=,)|$)(?!=)")
_PARAMETER = re.compile(rf'[\s,]*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')


@dataclasses.dataclass(frozen=True)
class Challenge:
    """One challenge of a WWW-Authenticate header. Scheme and the names of parameters are in lower case."""

    scheme: str
    parameters: t.Mapping[str, str]


def parse_challenges(header: str) -> list[Challenge]:
    """Return the challenges in a header, which can hold several, joined by commas (RFC 7235 §4.1).

    Parameters can be quoted or not, and quoted ones can hold commas and escapes. What cannot be read ends the list.
    """
    found: list[Challenge] = []
    position = 0
    while scheme := _SCHEME.match(header, position):
        position = scheme.end()
        parameters: dict[str, str] = {}
        if token := _TOKEN68.match(header, position):
            position = token.end()
        while parameter := _PARAMETER.match(header, position):
            name, quoted, plain = parameter.groups()
            parameters[name.lower()] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            position = parameter.end()
        found.append(Challenge(scheme[1].lower(), parameters))
    return found


@dataclasses.dataclass(frozen=True)
class _CachedAuthorization:
    """An authorization for one repository, and when to replace it (seconds of the clock)."""

    authorization: str = dataclasses.field(repr=False)
    challenge: Challenge
    refresh_at: float


class Authorizer:
    """Authorizations for one registry, one for each repository: cgr.dev refuses a token of another one with 403.

    Threads that need the same one at the same time wait for one request.
    """

    def __init__(
        self,
        base_url: str,
        login: Credentials,
        exchange: DownloadClient,
        *,
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self._ping_url = f"{base_url}/v2/"
        self._login = login
        self._exchange = exchange
        self._clock = clock
        self._held: dict[str, _CachedAuthorization] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._ping_lock = threading.Lock()
        self._pinged = False
        self._usual: Challenge | None = None

    def authorization(self, name: str) -> str:
        """Return what to send with a request for a repository, before it is challenged; empty for nothing.

        Like other clients, this learns from /v2/ once whether and how the registry wants a login.
        """
        if self._login.bearer:
            return f"Bearer {self._login.bearer}"
        with self._lock(name):
            held = self._held.get(name)
            if held and self._clock() < held.refresh_at:
                return held.authorization
            return self._authenticate(name, held.challenge if held else self._default_challenge())

    def refresh(self, name: str, header: str, *, refused: str) -> str:
        """Return what to send instead of an authorization that was refused; empty when there is nothing better."""
        if self._login.bearer:
            return ""
        with self._lock(name):
            held = self._held.get(name)
            if held and held.authorization != refused:
                return held.authorization  # another thread was faster
            from_upstream = self._authenticate(name, _select_challenge(header))
        return "" if from_upstream == refused else from_upstream

    def _lock(self, name: str) -> threading.Lock:
        return self._locks.setdefault(name, threading.Lock())

    def _default_challenge(self) -> Challenge | None:
        with self._ping_lock:
            if not self._pinged:
                answer, url = self._exchange.get(self._ping_url, accept="application/json")
                answer.read(MAX_ERROR_SIZE)
                if answer.status == 401 and Origin.from_url(url) == self._exchange.origin:
                    self._usual = _select_challenge(answer.headers.get("WWW-Authenticate", ""))
                self._pinged = True
            return self._usual

    def _authenticate(self, name: str, challenge: Challenge | None) -> str:
        """Return the authorization that answers a challenge, and hold it."""
        if challenge is None:
            return ""
        if challenge.scheme == "basic":
            authorization, life = self._login.basic, float("inf")
        else:
            token, life = self._token(challenge, name)
            authorization = f"Bearer {token}"
        self._held[name] = _CachedAuthorization(authorization, challenge, self._clock() + life * _REFRESH_AT)
        return authorization

    def _token(self, challenge: Challenge, name: str) -> tuple[str, float]:
        """Return a token and the seconds that it lives. POST is never used: Artifactory answers it with 401."""
        realm = challenge.parameters["realm"]
        if why := redirect_error(self._exchange.origin, realm):
            raise DownloadError(
                401,
                f"a challenge with the token service {realm.partition('?')[0]}: {why}",
                url=self._ping_url,
                headers={},
            )
        parts = urlsplit(realm)
        # Artifactory leaves its repository's key out of the scope, so the challenge's own is better than one made here.
        query = {
            **dict(parse_qsl(parts.query)),
            "scope": challenge.parameters.get("scope") or f"repository:{name}:pull",
        }
        if "service" in challenge.parameters:
            query["service"] = challenge.parameters["service"]
        url = parts._replace(query=urlencode(query)).geturl()
        body = self._exchange.get_token(url, authorization=self._login.basic)
        try:
            answer = json.loads(body)
            token = answer.get("token") or answer["access_token"]
            life = float(answer.get("expires_in") or _SHORTEST_LIFE)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise DownloadError(200, "an answer of the token service without a token", url=url, headers={}) from None
        return str(token), max(life, _SHORTEST_LIFE)


def _select_challenge(header: str) -> Challenge | None:
    """Return the challenge to answer: Bearer where it is offered, else Basic."""
    challenges = parse_challenges(header)
    bearer = (one for one in challenges if one.scheme == "bearer" and one.parameters.get("realm"))
    return next(bearer, None) or next((one for one in challenges if one.scheme == "basic"), None)
