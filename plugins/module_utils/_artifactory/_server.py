# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Artifactory as a server: its version, and its error responses. Private to the collection."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import HTTPStatusError
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession, Response
from ansible_collections.cgr.pull_through.plugins.module_utils._shape import has_shape

VERSION = re.compile(r"\d{1,6}(?:[.-]\w{1,20}){1,5}", re.ASCII)
_WRITE_CONFLICTS = ("could not merge and save new descriptor", "could not update configuration")
_MAX_ERRORS = 20
_NO_EDITION = "available only in Artifactory Pro"


class ArtifactoryService:
    """Parses the error responses of Artifactory. credentials: those of the session, to explain why they are rejected."""

    name = "Artifactory"
    url_option = "artifactory_url"

    def __init__(self, credentials: Credentials | None = None) -> None:
        self._credentials = credentials or Credentials()

    def response_message(self, response: Response) -> str:
        decoded = response.json()
        if not isinstance(decoded, dict):
            return response.text
        if has_shape(decoded.get("errors"), [dict]):
            return "; ".join(_error_text(error) or str(error) for error in decoded["errors"][:_MAX_ERRORS])
        return _error_text(decoded) or response.text

    def hint(self, response: Response) -> str:
        if _NO_EDITION in response.text:
            return "This API requires the Pro edition or higher. The server has another edition, or no active license."
        if response.status in (401, 402, 403):
            return self._rejection_hint(response.status, self.response_message(response))
        if response.status == 404:
            return "Check artifactory_url, the base URL of Artifactory."
        return ""

    def _rejection_hint(self, status: int, message: str) -> str:
        # Loaded only for a rejection, since each import delays the start of a module.
        from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._rejection import (
            forbidden_hint,
            unauthorized_hint,
        )

        return unauthorized_hint(self._credentials, message) if status == 401 else forbidden_hint(message)

    def is_retryable(self, response: Response) -> bool:
        # Two concurrent writes of the central configuration conflicted, and the server did nothing.
        text = response.text.lower()
        return response.status >= 400 and any(message in text for message in _WRITE_CONFLICTS)


def _error_text(error: t.Mapping[str, t.Any]) -> str:
    """Return the message of an error, and the detail that errors of the Access API have."""
    return ": ".join(str(error[part]) for part in ("message", "detail") if error.get(part))


def access_api_error(error: HTTPStatusError, what: str) -> HTTPStatusError:
    """Return the error (401) of a request to the Access API, with what that API needs. what: what it manages."""
    hint = f"{error.hint} The Access API, which manages {what}, can reject a login that Artifactory accepts: use an access token."
    return HTTPStatusError(error.status, error.response_message, method=error.method, url=error.url, hint=hint)


def server_version(session: ApiSession) -> tuple[int, ...]:
    """Return the version of the server, such as (7, 104, 2)."""
    response = session.call("GET", "/artifactory/api/system/version", shape={"version": VERSION})
    return tuple(int(part) for part in re.findall(r"\d+", response["version"]))
