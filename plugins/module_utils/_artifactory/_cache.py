# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a remote repository of Artifactory holds in its cache. Private to the collection.

Each remote KEY has a companion KEY-cache, which the storage API shows and the delete API clears.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t
from urllib.parse import quote

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import HTTPStatusError
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession, EncodedBody, is_not_found

_MARKER = ".marker"


@dataclasses.dataclass(frozen=True)
class CachedFile:
    """One file. path is relative to the cache's root, size is in bytes; None when it was not asked for."""

    path: str
    size: int | None = None

    @property
    def is_marker(self) -> bool:
        """Whether it only promises a layer: Artifactory knows it from a manifest, and nobody has fetched it yet."""
        return self.path.endswith(_MARKER)


class CacheApi:
    """The cache of remote repositories. Keys are those of the remotes, paths are relative to the cache's root."""

    def __init__(self, session: ApiSession) -> None:
        self._session = session

    def has(self, key: str, path: str) -> bool | None:
        """Return whether a file or folder is in the cache; None when this login may not look. Asks no upstream."""
        try:
            self._session.call("GET", f"/artifactory/api/storage/{_quoted(key, path)}")
        except HTTPStatusError as exc:
            if exc.status == 404:
                return False
            if exc.status == 403:
                return None
            raise
        return True

    def list_root(self, key: str) -> list[str]:
        """Return the names of all files and folders at the top of the cache."""
        root = self._session.call("GET", f"/artifactory/api/storage/{_quoted(key, '')}", absent=is_not_found)
        return [child["uri"].strip("/") for child in (root or {}).get("children", [])]

    def files(self, key: str, *, only_markers: bool) -> tuple[list[CachedFile], bool]:
        """Return the files of the cache, sorted, and whether a search told; the plain listing does where searches are refused.

        With only_markers, the search finds nothing else, and no sizes. Raises Refused, Unanswered.
        """
        try:
            found, searched = self._search(key, only_markers), True
        except HTTPStatusError as exc:
            if exc.status == 401:
                raise
            found, searched = self._listing(key), False
        files = [file for file in found if file.is_marker or not only_markers]
        return sorted(files, key=lambda file: file.path), searched

    def _search(self, key: str, only_markers: bool) -> list[CachedFile]:
        criteria = {"repo": f"{key}-cache", **({"name": {"$match": f"*{_MARKER}"}} if only_markers else {})}
        # Without these three fields, a search by anyone but an administrator is refused.
        fields = ["repo", "path", "name"] + ([] if only_markers else ["size"])
        query = f"items.find({json.dumps(criteria)}).include({','.join(map(json.dumps, fields))})"
        reply = self._session.call("POST", "/artifactory/api/search/aql", body=EncodedBody.text(query), idempotent=True)
        return [CachedFile(_joined(item), item.get("size")) for item in _rows(reply, "results")]

    def _listing(self, key: str) -> list[CachedFile]:
        query = {"list": "", "deep": "1"}
        reply = self._session.call("GET", f"/artifactory/api/storage/{_quoted(key, '').rstrip('/')}", query=query)
        return [CachedFile(item["uri"].lstrip("/"), item.get("size")) for item in _rows(reply, "files")]

    def evict(self, key: str, path: str) -> None:
        """Delete a file or folder from the cache. One that is gone already is fine."""
        self._session.call("DELETE", f"/artifactory/{_quoted(key, path)}", absent=is_not_found)

    def expire(self, key: str, path: str) -> None:
        """Have what can change below a path asked for again, and what was not found forgotten. Empty: everything."""
        self._session.call("POST", f"/artifactory/api/zap/{_quoted(key, path)}", idempotent=True)


def _quoted(key: str, path: str) -> str:
    return quote(f"{key}-cache/{path}")


def _rows(reply: t.Any, name: str) -> list[dict[str, t.Any]]:
    return list(reply.get(name) or []) if isinstance(reply, dict) else []


def _joined(item: t.Mapping[str, t.Any]) -> str:
    # A file at the root has the path ".".
    return str(item["name"]) if item["path"] in ("", ".") else f"{item['path']}/{item['name']}"
