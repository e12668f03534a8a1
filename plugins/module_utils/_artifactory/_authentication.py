# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base URL of Artifactory, the credentials for its API, and why it rejects them. No I/O. Private to the collection."""

from __future__ import annotations

import base64
import dataclasses
import json
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import basic_authorization
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import HTTPStatusError, InputError

_API_KEY_PREFIX = "AKC"
# Parts of messages that a JFrog instance sends to all users.
_INSTANCE_REJECTS_ALL = ("subscription", "quota", "trial", "payment", "suspended", "deactivated", "hibernat")
_TOKEN_HINTS = {
    "expired": "{option} has expired. Issue a new token.",
    "revoked": "{option} was revoked. Issue a new token.",
    "token not found": "Artifactory does not know {option}: the token belongs to another server, is incomplete, or was deleted.",
}


@dataclasses.dataclass(frozen=True)
class ApiCredentials:
    """An access token, or else a user name and password."""

    token: str = dataclasses.field(default="", repr=False)
    username: str = ""
    password: str = dataclasses.field(default="", repr=False)

    @property
    def authorization(self) -> str:
        """The value of an Authorization header."""
        return f"Bearer {self.token}" if self.token else basic_authorization(self.username, self.password)

    def unauthorized_hint(self, message: str) -> str:
        """Return why Artifactory rejects these credentials (401). message: the message of its response."""
        message = message.lower()
        option = "artifactory_access_token" if self.token else "artifactory_password"
        for part, hint in _TOKEN_HINTS.items():
            if part in message:
                return hint.format(option=option)
        if "authentication is required" in message:
            return "Artifactory received no credentials. Check whether a proxy removes the Authorization header."
        if self.token:
            return "Artifactory rejected artifactory_access_token (401). It has expired, was revoked, or belongs to another server."
        if self.username:
            return self._password_hint()
        return "Check artifactory_access_token, or artifactory_username and artifactory_password."

    def _password_hint(self) -> str:
        owner = decode_username(self.password)
        if owner and owner != self.username:
            return (
                f"artifactory_password is a token of the user {owner!r}, but artifactory_username is {self.username!r}."
            )
        if is_api_key(self.password):
            return "artifactory_password is an API key. It was revoked, or the server no longer accepts API keys. Use an access token."
        if self.password != self.password.strip():
            return "artifactory_password begins or ends with white space. Check whether that is a part of the password."
        return "Artifactory rejected artifactory_username and artifactory_password (401): the password is wrong, or the user is locked."


def forbidden_hint(message: str) -> str:
    """Return why Artifactory does not allow a request (402 or 403). message: the message of its response."""
    lower = message.lower()
    if any(part in lower for part in _INSTANCE_REJECTS_ALL):
        return "This Artifactory instance rejects the requests of all users. Check its subscription, quotas and status with JFrog."
    return "The user lacks the permission (403). Use the token of an administrator, or for repositories of an administrator of their project."


def access_api_error(error: HTTPStatusError, what: str) -> HTTPStatusError:
    """Return the error (401) of a request to the Access API, with what that API needs. what: what it manages."""
    hint = f"{error.hint} The Access API, which manages {what}, can reject a login that Artifactory accepts: use an access token."
    return HTTPStatusError(error.status, error.response_message, method=error.method, url=error.url, hint=hint)


def is_api_key(secret: str) -> bool:
    """Return whether a secret is an API key, which Artifactory accepts only as a password."""
    return secret.startswith(_API_KEY_PREFIX)


def credentials_of(params: t.Mapping[str, t.Any]) -> ApiCredentials:
    """Return the credentials in the options of a module. Raises InputError if they are missing, or for an API key."""
    token = params["artifactory_access_token"]
    if token and is_api_key(token):
        raise InputError(
            "artifactory_access_token is an API key, not an access token.",
            hint="Create an access token, or set the API key as artifactory_password, with artifactory_username.",
        )
    if token:
        return ApiCredentials(token)
    if params["artifactory_username"] and params["artifactory_password"]:
        return ApiCredentials("", params["artifactory_username"], params["artifactory_password"])
    raise InputError(
        "Credentials for Artifactory are missing.",
        hint="Set artifactory_access_token (or ARTIFACTORY_ACCESS_TOKEN), or artifactory_username and artifactory_password.",
    )


def decode_username(token: str) -> str:
    """Return the user name in the subject of a token; empty if it has none."""
    try:
        payload = token.split(".")[1]
        subject = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]
        return str(subject).partition("/users/")[2]
    except (ValueError, LookupError, TypeError):
        return ""


def parse_base_url(url: str) -> str:
    """Return the base URL in a URL of Artifactory's API or UI: without /artifactory and /ui and what follows them.

    A URL that cannot be parsed is returned unchanged.
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return url
    path = parts.path.rstrip("/")
    base = path.removesuffix("/artifactory")
    if base == path:
        base = _before(_before(path, "ui"), "artifactory")
    return parts._replace(path=base, query="", fragment="").geturl()


def _before(path: str, segment: str) -> str:
    segments: t.Sequence[str] = path.split("/")
    return "/".join(segments[: segments.index(segment)]) if segment in segments else path
