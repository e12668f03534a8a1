# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Access tokens of Artifactory: what one is for, how one is made and revoked. Private to the collection."""

from __future__ import annotations

import base64
import json
import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession, is_not_found
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config

USER_SCOPE = "applied-permissions/user"

_ALL = "/access/api/v1/tokens"
_GROUPS_SCOPE = "applied-permissions/groups:"
_LONGEST_SCOPE = 500
_PLAIN = re.compile(r"[\w.-]+")
# Not so long, and with no dots, as the tokens themselves are: one of those would end in a URL and in messages.
_ID = re.compile(r"[0-9A-Za-z-]{1,63}")


class TokensApi:
    """The access tokens that a login may see: all of them for an administrator, else those of the user."""

    def __init__(self, session: ApiSession) -> None:
        self._session = session

    def get(self, token_id: str) -> Config | None:
        """Return what Artifactory keeps of a token; None for one that is revoked, expired, or was not kept."""
        found: Config | None = self._session.call("GET", f"{_ALL}/{token_id}", absent=is_not_found)
        return found

    def create(self, wanted: Config) -> Config:
        """Make a token. Never sent again: nobody could tell whether there are two."""
        made = self._session.call("POST", _ALL, body=wanted, idempotent=False)
        if not isinstance(made, dict) or not made.get("access_token"):
            raise PullThroughError(
                "Artifactory accepted the creation of a token, and answered without one.",
                hint="Check artifactory_url, and whether a proxy changes answers.",
            )
        return made

    def revoke(self, token_id: str) -> None:
        """Revoke a token. One that is gone already is fine."""
        self._session.call("DELETE", f"{_ALL}/{token_id}", absent=is_not_found)


def validate_token_id(token_id: str) -> str:
    """Return the ID of a token, or raise InputError, which does not show it: it may be the token itself."""
    if not _ID.fullmatch(token_id):
        raise InputError("token_id is not the ID of a token.", hint="It is what the creation returned as token_id.")
    return token_id


def build_scope(scope: str | None, groups: t.Sequence[str] | None) -> str:
    """Return the scope of a token: the one that is given, or that of groups, or else what the user may do."""
    if groups is not None:
        if not groups or any(not name or '"' in name for name in groups):
            raise InputError("groups is empty, or holds a name that is empty or has a quote in it.")
        scope = _GROUPS_SCOPE + ",".join(name if _PLAIN.fullmatch(name) else f'"{name}"' for name in groups)
    if scope and len(scope) > _LONGEST_SCOPE:
        raise InputError(f"The scope has {len(scope)} characters; at most {_LONGEST_SCOPE} are allowed.")
    return scope or USER_SCOPE


def user_of(token: str) -> str:
    """Return the user whose token this is, as it says itself; empty when it does not say."""
    try:
        payload = token.split(".")[1]
        subject = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]
        return str(subject).partition("/users/")[2]
    except (ValueError, LookupError, TypeError):
        return ""
