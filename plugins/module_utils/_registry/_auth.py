# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The authentication of a registry: Bearer tokens for each repository, or Basic. Private to the collection."""

from __future__ import annotations

import dataclasses
import re
import threading
import time
import typing as t
from urllib.parse import parse_qsl, urlencode, urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._download import DownloadClient
from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import DownloadError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import MAX_ERROR_SIZE, redact_url
from ansible_collections.cgr.pull_through.plugins.module_utils._json_document import parse_json
from ansible_collections.cgr.pull_through.plugins.module_utils._origin import Origin, redirect_error
from ansible_collections.cgr.pull_through.plugins.module_utils._shape import TOKEN, validate_shape
from ansible_collections.cgr.pull_through.plugins.module_utils._text import remember_secret

CREDENTIALS_WITHHELD = "CREDENTIALS_WITHHELD"
_TOKEN = {"token?": TOKEN, "access_token?": TOKEN, "expires_in?": (int, float)}
_MAX_REALM = 200
_MAX_HEADER = 8192
_MIN_TOKEN_LIFETIME = 60.0
_MAX_TOKEN_LIFETIME = 86400.0
_REFRESH_FRACTION = 0.8

_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))")
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"[\s,]*({_WORD})(?:\s+|(?=,)|$)(?!=)")
_PARAMETER = re.compile(rf'[\s,]*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')


class Challenge(t.NamedTuple):
    """A challenge of a WWW-Authenticate header. The scheme and the names of the parameters are in lower case."""

    scheme: str
    parameters: t.Mapping[str, str]


def parse_challenges(header: str) -> list[Challenge]:
    """Return the challenges of a header, which are separated by commas (RFC 7235 section 4.1).

    Quoted parameters can contain commas and escapes. The list ends before text that is not valid.
    """
    header = header[:_MAX_HEADER]
    challenges: list[Challenge] = []
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
        challenges.append(Challenge(scheme[1].lower(), parameters))
    return challenges


@dataclasses.dataclass(frozen=True)
class _CachedAuthorization:
    """The authorization for one repository. refresh_at: seconds of the clock."""

    authorization: str = dataclasses.field(repr=False)
    challenge: Challenge
    refresh_at: float


class Authorizer:
    """The authorizations for one registry. Thread-safe.

    Each repository has its own, because cgr.dev rejects a token of another repository with 403. Threads that need the
    same authorization wait for one token request.
    token_service_hosts: other hosts that get the credentials if the registry names them as its token service.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        client: DownloadClient,
        *,
        token_service_hosts: t.Collection[str] = (),
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self._token_service_hosts = token_service_hosts
        self._withheld_from = ""
        self._ping_url = f"{base_url}/v2/"
        self._credentials = credentials
        self._client = client
        self._clock = clock
        self._cached: dict[str, _CachedAuthorization] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._ping_lock = threading.Lock()
        self._is_pinged = False
        self._ping_challenge: Challenge | None = None

    def authorization(self, name: str) -> str:
        """Return the Authorization header for a repository; empty for an anonymous request.

        As container clients do, it gets the challenge from /v2/, once.
        """
        if self._credentials.bearer:
            return f"Bearer {self._credentials.bearer}"
        with self._lock(name):
            cached = self._cached.get(name)
            if cached and self._clock() < cached.refresh_at:
                return cached.authorization
            return self._authenticate(name, cached.challenge if cached else self._default_challenge())

    def refresh(self, name: str, header: str, *, rejected: str) -> str:
        """Return a new authorization for a repository after one was rejected; empty if there is no other.

        header: WWW-Authenticate of the response.
        """
        if self._credentials.bearer:
            return ""
        with self._lock(name):
            cached = self._cached.get(name)
            if cached and cached.authorization != rejected:
                return cached.authorization  # from another thread
            authorization = self._authenticate(name, _select_challenge(header))
        return "" if authorization == rejected else authorization

    def denied_error(self, status: int, url: str) -> DownloadError | None:
        """Return the error for a denied request if the token service did not get the credentials; else None."""
        if not self._withheld_from:
            return None
        message = f"the token service is on {self._withheld_from}, another host, which did not get the credentials"
        return DownloadError(status, message, url=url, headers={}, code=CREDENTIALS_WITHHELD)

    def _lock(self, name: str) -> threading.Lock:
        return self._locks.setdefault(name, threading.Lock())

    def _default_challenge(self) -> Challenge | None:
        with self._ping_lock:
            if not self._is_pinged:
                response, url = self._client.get(self._ping_url, accept="application/json")
                response.read_start(MAX_ERROR_SIZE)
                if response.status == 401 and Origin.from_url(url) == self._client.origin:
                    self._ping_challenge = _select_challenge(response.headers.get("WWW-Authenticate", ""))
                elif response.status == 200 and not self._credentials.is_anonymous:
                    # With anonymous access on, Artifactory sends no challenge, and wrong credentials would not be noticed.
                    self._ping_challenge = Challenge("basic", {})
                self._is_pinged = True
            return self._ping_challenge

    def _authenticate(self, name: str, challenge: Challenge | None) -> str:
        """Return the authorization for a challenge, and cache it."""
        if challenge is None:
            return ""
        if challenge.scheme == "basic":
            authorization, lifetime = self._credentials.basic, float("inf")
        else:
            token, lifetime = self._request_token(challenge, name)
            authorization = f"Bearer {token}"
        refresh_at = self._clock() + lifetime * _REFRESH_FRACTION
        self._cached[name] = _CachedAuthorization(authorization, challenge, refresh_at)
        return authorization

    def _request_token(self, challenge: Challenge, name: str) -> tuple[str, float]:
        """Return a token and its lifetime in seconds. Uses GET, because Artifactory rejects POST with 401."""
        realm = challenge.parameters["realm"]
        if error := redirect_error(self._client.origin, realm):
            message = f"a challenge with the token service {redact_url(realm)[:_MAX_REALM]}: {error}"
            hint = _realm_hint(self._client.origin, realm)
            raise DownloadError(401, message, url=self._ping_url, headers={}, hint=hint)
        parts = urlsplit(realm)
        # Artifactory's scope does not have the repository key, so the scope of the challenge takes precedence.
        query = {
            **dict(parse_qsl(parts.query)),
            "scope": challenge.parameters.get("scope") or f"repository:{name}:pull",
        }
        if "service" in challenge.parameters:
            query["service"] = challenge.parameters["service"]
        url = parts._replace(query=urlencode(query)).geturl()
        try:
            body = self._client.get_token(url, authorization=self._realm_authorization(realm))
        except DownloadError as exc:
            raise (self.denied_error(exc.status, url) if exc.status in (401, 403) else None) or exc from None
        try:
            document = parse_json(body)
            validate_shape(document, _TOKEN)
        except ValueError as exc:
            message = f"the token service returned something else than documented: {exc}"
            raise DownloadError(200, message, url=url, headers={}, by_token_service=True) from None
        token = str(document.get("token") or document.get("access_token") or "")
        if not token:
            message = "the token service accepted the request, but returned no token"
            raise DownloadError(200, message, url=url, headers={}, by_token_service=True)
        remember_secret(token)
        lifetime = min(float(document.get("expires_in") or 0), _MAX_TOKEN_LIFETIME)
        return token, max(lifetime, _MIN_TOKEN_LIFETIME)

    def _realm_authorization(self, realm: str) -> str:
        """Return the credentials for a token service; empty for one on another host that the user did not name."""
        origin = Origin.from_url(realm)
        names = {origin.host, f"{origin.host}:{origin.port}"}
        if origin == self._client.origin or not names.isdisjoint(self._token_service_hosts):
            return self._credentials.basic
        if not self._credentials.is_anonymous:
            self._withheld_from = urlsplit(realm).netloc.rpartition("@")[2]
        return ""


def _realm_hint(registry: Origin, realm: str) -> str:
    """Return how to fix a realm that cannot be used."""
    try:
        target = Origin.from_url(realm)
    except ValueError:
        return ""
    if (registry.scheme, target.scheme) == ("https", "http") and target.host == registry.host:
        return (
            "A proxy ends TLS, and the registry does not know that clients use https. Let the proxy send "
            "X-Forwarded-Proto, or set the URL of the registry (in Artifactory, the Custom Base URL)."
        )
    return "Set the public URL of the registry in its configuration (in Artifactory, the Custom Base URL)."


def _select_challenge(header: str) -> Challenge | None:
    """Return the challenge to use: Bearer if it is offered, else Basic."""
    challenges = parse_challenges(header)
    bearer = (item for item in challenges if item.scheme == "bearer" and item.parameters.get("realm"))
    basic = (item for item in challenges if item.scheme == "basic")
    return next(bearer, None) or next(basic, None)
