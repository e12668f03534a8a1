# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a remote repository of Artifactory holds in its cache. Private to the collection.

Each remote KEY has a companion KEY-cache, which the storage API shows and the delete API clears.
"""

from __future__ import annotations

from urllib.parse import quote

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import Refused
from ansible_collections.cgr.pull_through.plugins.module_utils._http import ApiSession


class CacheApi:
    """The cache of remote repositories. Keys are those of the remotes, paths are relative to the cache's root."""

    def __init__(self, session: ApiSession) -> None:
        self._session = session

    def has(self, key: str, path: str) -> bool | None:
        """Return whether a file or folder is in the cache; None when this login may not look. Asks no upstream."""
        try:
            self._session.call("GET", f"/artifactory/api/storage/{_quoted(key, path)}")
        except Refused as exc:
            if exc.status == 404:
                return False
            if exc.status == 403:
                return None
            raise
        return True

    def top(self, key: str) -> list[str]:
        """Return the names of all files and folders at the top of the cache."""
        root = self._session.call("GET", f"/artifactory/api/storage/{_quoted(key, '')}", absent_ok=True)
        return [child["uri"].strip("/") for child in (root or {}).get("children", [])]

    def evict(self, key: str, path: str) -> None:
        """Delete a file or folder from the cache. One that is gone already is fine."""
        self._session.call("DELETE", f"/artifactory/{_quoted(key, path)}", absent_ok=True)

    def expire(self, key: str, path: str) -> None:
        """Have what can change below a path asked for again, and what was not found forgotten. Empty: everything."""
        self._session.call("POST", f"/artifactory/api/zap/{_quoted(key, path)}", repeatable=True)


def _quoted(key: str, path: str) -> str:
    return quote(f"{key}-cache/{path}")
