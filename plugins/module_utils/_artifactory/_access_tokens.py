# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Access tokens of Artifactory. Private to the collection."""

from __future__ import annotations

import contextlib
import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._server import access_api_error
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    HTTPStatusError,
    InputError,
    PullThroughError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession, is_not_found
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config
from ansible_collections.cgr.pull_through.plugins.module_utils._shape import WORD, has_shape
from ansible_collections.cgr.pull_through.plugins.module_utils._text import remember_secret

USER_SCOPE = "applied-permissions/user"

_TOKENS = "/access/api/v1/tokens"
_TOKEN = {
    **dict.fromkeys(("token_id?", "token_type?", "scope?", "subject?", "description?"), str),
    "expires_in?": int,
}
_GROUPS_SCOPE = "applied-permissions/groups:"
_MAX_SCOPE_LENGTH = 500
_PLAIN_NAME = re.compile(r"[\w.-]+")
# Rejects access tokens, which are longer and contain dots: a token must not get into a URL or a message.
_TOKEN_ID = re.compile(r"[0-9A-Za-z-]{1,63}")


@contextlib.contextmanager
def _explaining_rejection() -> t.Iterator[None]:
    try:
        yield
    except HTTPStatusError as exc:
        if exc.status != 401:
            raise
        raise access_api_error(exc, "access tokens") from exc


class TokensApi:
    """The access tokens that the user can read: an administrator all of them, other users their own."""

    def __init__(self, session: ApiSession) -> None:
        self._session = session

    def get(self, token_id: str) -> Config | None:
        """Return the metadata of a token, or None if it is revoked, expired or not stored."""
        token: Config | None
        with _explaining_rejection():
            token = self._session.call("GET", f"{_TOKENS}/{token_id}", absent=is_not_found, shape=_TOKEN)
        return token

    def create(self, desired: Config) -> Config:
        """Create a token. Not retried, because a second request could create a second token."""
        token: Config
        with _explaining_rejection():
            token = self._session.call("POST", _TOKENS, body=desired, idempotent=False)
        if not has_shape(token, {**_TOKEN, "access_token": WORD}):
            raise PullThroughError(
                "Artifactory accepted the request for a token, but the response contains no token.",
                hint="Check artifactory_url, and whether a proxy changes responses.",
            )
        remember_secret(token["access_token"])
        return token

    def revoke(self, token_id: str) -> None:
        """Revoke a token. A token that is revoked or expired already is not an error."""
        self._session.call("DELETE", f"{_TOKENS}/{token_id}", absent=is_not_found)


def validate_token_id(token_id: str) -> str:
    """Return the ID of a token, or raise InputError without the value, which could be the token itself."""
    if not _TOKEN_ID.fullmatch(token_id):
        raise InputError(
            "token_id is not the ID of a token.",
            hint="Use the token_id that the module returned when it created the token.",
        )
    return token_id


def build_scope(scope: str | None, groups: t.Sequence[str] | None) -> str:
    """Return the given scope, the scope of the groups, or by default the scope of the user. Raises InputError."""
    if groups is not None:
        if not groups or any(not name or '"' in name for name in groups):
            raise InputError("groups is empty, or contains a name that is empty or has a double quote.")
        scope = _GROUPS_SCOPE + ",".join(name if _PLAIN_NAME.fullmatch(name) else f'"{name}"' for name in groups)
    if scope and len(scope) > _MAX_SCOPE_LENGTH:
        raise InputError(f"The scope has {len(scope)} characters; at most {_MAX_SCOPE_LENGTH} are allowed.")
    return scope or USER_SCOPE
