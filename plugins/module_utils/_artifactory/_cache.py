# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The caches of remote repositories. Private to the collection.

Artifactory stores the cache of the remote repository KEY in the repository KEY-cache.
"""

from __future__ import annotations

import datetime
import json
import typing as t
from urllib.parse import quote

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._server import server_version
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import HTTPStatusError
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession, EncodedBody, is_not_found
from ansible_collections.cgr.pull_through.plugins.module_utils._shape import WORD

_MARKER = ".marker"
_EXPIRES_SINCE = (7, 49, 3)
_MAX_MILLISECONDS = 10**14
_FILE = {"lastUpdated?": str, "checksums?": {"sha256?": WORD}}
_STATS = {"lastDownloaded?": int}
_SEARCH_RESULT = {"results?": [{"path": str, "name": str, "size?": int}]}


class CachedFile(t.NamedTuple):
    """A file in a cache. path: relative to the root of the cache. size: in bytes, or None if it was not requested."""

    path: str
    size: int | None = None

    @property
    def is_marker(self) -> bool:
        """Whether it is the marker of a layer that a cached manifest names and that is not cached."""
        return self.path.endswith(_MARKER)


class CachedCopy(t.NamedTuple):
    """A file in a cache, with times in epoch seconds, None if unknown. digest: empty if unknown.

    compared: when it was fetched or last compared with the upstream. served: when a client last downloaded it.
    """

    digest: str = ""
    compared: float | None = None
    served: float | None = None


class CacheApi:
    """The caches of remote repositories. Keys are those of the remote repositories, paths are relative to the root of the cache."""

    def __init__(self, session: ApiSession) -> None:
        self._session = session
        self._can_expire: bool | None = None

    def has(self, key: str, path: str) -> bool | None:
        """Return whether a file or folder is cached, or None if the user lacks the permission. Does not contact the upstream."""
        try:
            self._session.call("GET", f"/artifactory/api/storage/{_cache_path(key, path)}")
        except HTTPStatusError as exc:
            if exc.status == 404:
                return False
            if exc.status == 403:
                return None
            raise
        return True

    def server_time(self) -> float:
        """Return the time of the server (epoch seconds), from its last response."""
        return self._session.server_time()

    def fetch_time(self, key: str, path: str) -> float | None:
        """Return when a file was fetched or last compared with the upstream (epoch seconds); None if that is unknown."""
        url = f"/artifactory/api/storage/{_cache_path(key, path)}"
        info = self._session.call("GET", url, absent=is_not_found, shape={"lastUpdated?": str})
        return _parse_time((info or {}).get("lastUpdated"))

    def copy(self, key: str, path: str) -> CachedCopy | None:
        """Return a file of the cache; None if it is not cached. Raises HTTPStatusError."""
        url = f"/artifactory/api/storage/{_cache_path(key, path)}"
        info = self._session.call("GET", url, absent=is_not_found, shape=_FILE)
        if info is None:
            return None
        stats = self._session.call("GET", url, query={"stats": ""}, absent=is_not_found, shape=_STATS)
        checksum = (info.get("checksums") or {}).get("sha256")
        digest = f"sha256:{checksum}" if checksum else ""
        return CachedCopy(
            digest, _parse_time(info.get("lastUpdated")), _time_of_milliseconds((stats or {}).get("lastDownloaded"))
        )

    def last_fetch_below(self, key: str, folder: str) -> float | None:
        """Return when a file below a folder was last fetched or compared with the upstream; None if never, or unknown."""
        criteria = {"repo": f"{key}-cache", "path": {"$match": f"{folder}/*"}}
        try:
            rows = self._find(criteria, ["repo", "path", "name", "updated"])
        except HTTPStatusError:
            return self.fetch_time(key, folder)  # some users may not search
        return max(filter(None, (_parse_time(row.get("updated")) for row in rows)), default=None)

    def trace(self, key: str, path: str) -> str:
        """Return the steps of a download through the repository, as text. The upstream is contacted as for the download."""
        return self._session.get_text(f"/artifactory/{quote(f'{key}/{path}')}", query={"trace": ""})

    def list_folder(self, key: str, path: str = "") -> list[str]:
        """Return the names of all files and folders in a folder, by default in the root of the cache."""
        folder = self._session.call(
            "GET",
            f"/artifactory/api/storage/{_cache_path(key, path)}",
            absent=is_not_found,
            shape={"children?": [{"uri": str}]},
        )
        return [child["uri"].strip("/") for child in (folder or {}).get("children") or []]

    def files(self, key: str, *, only_markers: bool) -> tuple[list[CachedFile], bool]:
        """Return the cached files, sorted by path, and whether they come from a search.

        If the server rejects the search, all files are listed instead. only_markers: return only markers, without sizes.
        Raises HTTPStatusError and TransportError.
        """
        try:
            files, is_search_result = self._search(key, only_markers), True
        except HTTPStatusError as exc:
            if exc.status == 401:
                raise
            files, is_search_result = self.list_files(key), False
        files = [file for file in files if file.is_marker or not only_markers]
        return sorted(files, key=lambda file: file.path), is_search_result

    def _search(self, key: str, only_markers: bool) -> list[CachedFile]:
        criteria = {"repo": f"{key}-cache", **({"name": {"$match": f"*{_MARKER}"}} if only_markers else {})}
        # The server rejects a search without these three fields unless the user is an administrator.
        fields = ["repo", "path", "name"] + ([] if only_markers else ["size"])
        return [CachedFile(_file_path(item), item.get("size")) for item in self._find(criteria, fields)]

    def _find(self, criteria: t.Mapping[str, t.Any], fields: t.Sequence[str]) -> list[dict[str, t.Any]]:
        query = f"items.find({json.dumps(criteria)}).include({','.join(map(json.dumps, fields))})"
        response = self._session.call(
            "POST", "/artifactory/api/search/aql", body=EncodedBody.text(query), idempotent=True, shape=_SEARCH_RESULT
        )
        return list(response.get("results") or [])

    def list_files(self, key: str, folder: str = "") -> list[CachedFile]:
        """Return the files below a folder, with paths relative to it. Raises HTTPStatusError, also without such a folder."""
        query = {"list": "", "deep": "1"}
        response = self._session.call(
            "GET",
            f"/artifactory/api/storage/{_cache_path(key, folder).rstrip('/')}",
            query=query,
            shape={"files?": [{"uri": str, "size?": int}]},
        )
        return [CachedFile(item["uri"].lstrip("/"), item.get("size")) for item in response.get("files") or []]

    def evict(self, key: str, path: str) -> None:
        """Delete a file or folder from the cache. A path that is not cached is not an error."""
        self._session.call("DELETE", f"/artifactory/{_cache_path(key, path)}", absent=is_not_found)

    def can_expire(self) -> bool:
        """Return whether the server has the request that expires a path. Reads its version once."""
        if self._can_expire is None:
            self._can_expire = server_version(self._session) >= _EXPIRES_SINCE
        return self._can_expire

    def expire(self, key: str, path: str) -> None:
        """Expire metadata below a path, and clear its negative cache. An empty path stands for the entire cache."""
        self._session.call("POST", f"/artifactory/api/zap/{_cache_path(key, path)}", idempotent=True)


def _cache_path(key: str, path: str) -> str:
    return quote(f"{key}-cache/{path}")


def _parse_time(text: t.Any) -> float | None:
    """Return the epoch seconds of an RFC 3339 time; None if there is none."""
    try:
        return datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None


def _time_of_milliseconds(number: int | None) -> float | None:
    """Return the epoch seconds; None if there is no time, or none that a date can have."""
    return number / 1000 if number and 0 < number < _MAX_MILLISECONDS else None


def _file_path(item: t.Mapping[str, t.Any]) -> str:
    # A file at the root has the path ".".
    return str(item["name"]) if item["path"] in ("", ".") else f"{item['path']}/{item['name']}"
