# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why Artifactory rejects the credentials for its API. Private to the collection.

Loaded only for a rejection, since each import delays the start of a module.
"""

from __future__ import annotations

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._authentication import (
    decode_username,
    is_api_key,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials

# Parts of messages that a JFrog instance sends to all users.
_INSTANCE_REJECTS_ALL = ("subscription", "quota", "trial", "payment", "suspended", "deactivated", "hibernat")
_TOKEN_HINTS = {
    "expired": "{option} has expired. Issue a new token.",
    "revoked": "{option} was revoked. Issue a new token.",
    "token not found": "Artifactory does not know {option}: the token belongs to another server, is incomplete, or was deleted.",
}


def unauthorized_hint(credentials: Credentials, message: str) -> str:
    """Return why Artifactory rejects the credentials (401). message: the message of its response."""
    message = message.lower()
    option = "artifactory_access_token" if credentials.bearer else "artifactory_password"
    for part, hint in _TOKEN_HINTS.items():
        if part in message:
            return hint.format(option=option)
    if "authentication is required" in message:
        return "Artifactory received no credentials. Check whether a proxy removes the Authorization header."
    if credentials.bearer:
        return "Artifactory rejected artifactory_access_token (401). It has expired, was revoked, or belongs to another server."
    if credentials.username:
        return _password_hint(credentials)
    return "Check artifactory_access_token, or artifactory_username and artifactory_password."


def _password_hint(credentials: Credentials) -> str:
    owner = decode_username(credentials.password)
    if owner and owner != credentials.username:
        return f"artifactory_password is a token of the user {owner!r}, but artifactory_username is {credentials.username!r}."
    if is_api_key(credentials.password):
        return "artifactory_password is an API key. It was revoked, or the server no longer accepts API keys. Use an access token."
    if credentials.password != credentials.password.strip():
        return "artifactory_password begins or ends with white space. Check whether that is a part of the password."
    return "Artifactory rejected artifactory_username and artifactory_password (401): the password is wrong, or the user is locked."


def forbidden_hint(message: str) -> str:
    """Return why Artifactory does not allow a request (402 or 403). message: the message of its response."""
    lower = message.lower()
    if any(part in lower for part in _INSTANCE_REJECTS_ALL):
        return "This Artifactory instance rejects the requests of all users. Check its subscription, quotas and status with JFrog."
    return "The user lacks the permission (403). Use the token of an administrator, or for repositories of an administrator of their project."
