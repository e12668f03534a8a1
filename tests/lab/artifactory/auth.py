# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users, access tokens, and how a request presents them.

See facts/artifactory.md#errors and facts/artifactory.md#authentication.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hmac
import json
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from starlette.requests import Request

from .responses import BASIC_CHALLENGE, ApiError

ANONYMOUS = "anonymous"
SCOPE_USER = "applied-permissions/user"
SCOPE_ADMIN = "applied-permissions/admin"
SCOPE_GROUPS = "applied-permissions/groups:"
STORED_FROM_SECONDS = 10800  # a token with a shorter TTL is not stored, so it cannot be listed or revoked


@dataclass(frozen=True)
class User:
    """A user. `project` is the key of the project that the user administers."""

    name: str
    password: str
    admin: bool = False
    email: str = ""
    project: str = ""


@dataclass(frozen=True)
class Caller:
    name: str
    admin: bool = False
    by_token: bool = False
    scope: str = SCOPE_USER
    project: str = ""

    def administers(self, project: str | None) -> bool:
        """Whether the caller is an administrator of the platform, or of this project."""
        return self.admin or (bool(project) and project == self.project)

    @property
    def anonymous(self) -> bool:
        return self.name == ANONYMOUS

    @property
    def label(self) -> str:
        """The name as in error messages."""
        return f"token:{self.name}" if self.by_token else self.name

    @property
    def groups(self) -> frozenset[str]:
        """The groups of the token's scope. If there are any, their permissions apply instead of the user's."""
        return parse_groups(self.scope)


@dataclass(frozen=True)
class Token:
    """An access token with the claims of its JWT. Without `exp` it does not expire."""

    claims: dict[str, Any]
    jwt: str = field(repr=False)
    reference: str = field(default="", repr=False)
    description: str = ""
    refreshable: bool = False

    @property
    def id(self) -> str:
        return str(self.claims["jti"])

    @property
    def username(self) -> str:
        return _username(self.claims)


class Signer:
    """Signs and verifies the JWTs of one installation."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._key_id = secrets.token_urlsafe(32)

    def sign(self, claims: dict[str, Any]) -> str:
        header = {"ver": "2", "typ": "JWT", "alg": "RS256", "kid": self._key_id}
        signed = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        return f"{signed}.{_encode(self._key.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"

    def verify(self, jwt: str) -> dict[str, Any] | None:
        """The claims of a token that this installation signed, or None."""
        signed, _ignored, signature = jwt.rpartition(".")
        try:
            self._key.public_key().verify(_decode(signature), signed.encode(), padding.PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError):
            return None
        claims: dict[str, Any] = json.loads(_decode(signed.partition(".")[2]))
        return claims


class Authenticator:
    """Users and tokens. `now` returns the current time in epoch seconds."""

    def __init__(self, now: Callable[[], float], signer: Signer, service_id: str) -> None:
        self._now = now
        self._signer = signer
        self._issuer = service_id
        self._revoked: set[str] = set()
        self._references: dict[str, str] = {}
        self.users: dict[str, User] = {}
        self.tokens: dict[str, Token] = {}

    def issue(
        self,
        username: str,
        *,
        expires_in: int = 0,
        scope: str = SCOPE_USER,
        description: str = "",
        refreshable: bool = False,
        with_reference: bool = False,
    ) -> Token:
        """Issue a token. `expires_in` is in seconds; 0 means that it does not expire."""
        now, subject = int(self._now()), f"{self._issuer}/users/{username}"
        claims: dict[str, Any] = {
            "sub": subject,
            "scp": scope,
            "aud": "*@*",
            "iss": self._issuer,
            "iat": now,
            "jti": str(uuid.uuid4()),
        }
        if expires_in:
            claims["exp"] = now + expires_in
        jwt = self._signer.sign(claims)
        reference = _reference(claims.get("exp", 0)) if with_reference else ""
        token = Token(claims, jwt, reference, description, refreshable)
        if reference:
            self._references[reference] = jwt
        if expires_in == 0 or expires_in >= STORED_FROM_SECONDS:
            self.tokens[token.id] = token
        return token

    def revoke(self, token: Token) -> None:
        self._revoked.add(token.id)
        del self.tokens[token.id]

    def caller(self, request: Request) -> Caller:
        """The caller of a request, anonymous without credentials. Raises ApiError 401 if they are wrong."""
        if key := request.headers.get("x-jfrog-art-api"):
            return self._token_caller(key)
        scheme, _ignored, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._token_caller(credentials.strip())
        if scheme.lower() == "basic":
            return self._basic_caller(credentials)
        return Caller(ANONYMOUS)

    def _basic_caller(self, credentials: str) -> Caller:
        try:
            name, _ignored, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            name = password = ""
        user = self.users.get(name)
        if user and hmac.compare_digest(user.password.encode(), password.encode()):
            return Caller(user.name, user.admin, project=user.project)
        try:
            caller = self._token_caller(password)
        except ApiError:
            caller = Caller(ANONYMOUS)
        if caller.anonymous or caller.name.lower() != name.lower():
            raise ApiError(401, "Bad Credentials", BASIC_CHALLENGE)
        return caller

    def _token_caller(self, text: str) -> Caller:
        claims = self._signer.verify(self._references.get(text, text))
        if claims is None:
            raise ApiError(401, "Props Authentication Token not found", BASIC_CHALLENGE)
        if claims["jti"] in self._revoked:
            raise ApiError(401, "Token failed verification: revoked", BASIC_CHALLENGE)
        if "exp" in claims and claims["exp"] <= self._now():
            raise ApiError(401, "Token failed verification: expired", BASIC_CHALLENGE)
        name = _username(claims)
        user = self.users.get(name)
        admin = claims["scp"] == SCOPE_ADMIN or (claims["scp"] == SCOPE_USER and user is not None and user.admin)
        project = user.project if user is not None and claims["scp"] == SCOPE_USER else ""
        return Caller(name, admin, by_token=True, scope=claims["scp"], project=project)


def parse_groups(scope: str) -> frozenset[str]:
    """The groups of a scope, empty for other scopes. Names in quotes can contain spaces and commas."""
    if not scope.startswith(SCOPE_GROUPS):
        return frozenset()
    return frozenset(next(csv.reader([scope.removeprefix(SCOPE_GROUPS)]), []))


def _username(claims: dict[str, Any]) -> str:
    return str(claims["sub"]).rpartition("/")[2]


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _reference(expires_at: int) -> str:
    """A reference token: 64 characters, base64 of a prefix, the expiry and random characters."""
    return base64.b64encode(f"reftkn:01:{expires_at:010d}:{secrets.token_hex(14)[:27]}".encode()).decode()
