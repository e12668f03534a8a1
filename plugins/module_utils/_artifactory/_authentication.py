# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base URL of Artifactory, and the credentials for its API. No I/O. Private to the collection."""

from __future__ import annotations

import base64
import json
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

_API_KEY_PREFIX = "AKC"


def is_api_key(secret: str) -> bool:
    """Return whether a secret is an API key, which Artifactory accepts only as a password."""
    return secret.startswith(_API_KEY_PREFIX)


def credentials_of(params: t.Mapping[str, t.Any]) -> Credentials:
    """Return the credentials in the options of a module. Raises InputError if they are missing, or for an API key."""
    token = params["artifactory_access_token"]
    if token and is_api_key(token):
        raise InputError(
            "artifactory_access_token is an API key, not an access token.",
            hint="Create an access token, or set the API key as artifactory_password, with artifactory_username.",
        )
    if token:
        return Credentials(bearer=token)
    if params["artifactory_username"] and params["artifactory_password"]:
        return Credentials(params["artifactory_username"], params["artifactory_password"])
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
