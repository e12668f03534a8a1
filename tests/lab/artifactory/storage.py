# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The storage API of caches: info, delete and zap (facts/artifactory.md#cache)."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..clock import Clock
from .auth import Caller
from .cache import Cache, CachedFile
from .responses import ApiError, compact, not_simulated, route
from .store import RESERVED_KEYS, Repository

if TYPE_CHECKING:
    from .state import Artifactory

_NOT_FOUND = "Unable to find item"


# --- storage info -----------------------------------------------------------------------------------------------------
async def info(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    """Information about a file or a folder, also with ?list, ?stats or ?lastModified."""
    key, path = request.path_params["key"], request.path_params.get("path", "").strip("/")
    key, owner = _resolve(artifactory, key, path)
    if not artifactory.permissions.allows(caller, "READ", owner, path):
        raise ApiError(403, "Forbidden")
    cache = artifactory.remote(owner).cache
    if not cache.has(path):
        raise ApiError(404, _NOT_FOUND)
    base = f"{request.url.scheme}://{request.url.netloc}/artifactory"
    uri = f"{base}/api/storage/{key}/{path}".rstrip("/")
    if "properties" in request.query_params:
        raise ApiError(404, "No properties could be found.")
    if "list" in request.query_params:
        if path in cache.files:
            raise ApiError(400, f"Expected a folder but found a file, at: {key}/{path}")
        return compact(_listing(artifactory.simulator.clock, cache, path, uri, request.query_params))
    if "stats" in request.query_params:
        return compact(_stats(cache, path, uri))
    if "lastModified" in request.query_params:
        newest = max((file.modified for file in cache.below(path)), default=None)
        return compact({"uri": uri, "lastModified": artifactory.simulator.clock.rfc3339(newest)})
    item = cache.files.get(path)
    return compact(_file(artifactory, key, item, base, uri) if item else _folder(artifactory, key, cache, path, uri))


def _resolve(artifactory: Artifactory, key: str, path: str) -> tuple[str, Repository]:
    """Key and owner of the cache that has a path: of the key itself, or of the first member of a virtual repository."""
    virtual = artifactory.store.get(key)
    if virtual is None or virtual.rclass != "virtual":
        return key, artifactory.cache_owner(key)
    for member in artifactory.store.members(key):
        if member.rclass == "remote" and artifactory.remote(member).cache.has(path):
            return f"{member.key}-cache", member
    raise ApiError(404, _NOT_FOUND)


def _file(artifactory: Artifactory, key: str, file: CachedFile, base: str, uri: str) -> dict[str, Any]:
    checksums = {"sha1": file.content.sha1, "md5": file.content.md5, "sha256": file.content.sha256}
    return {
        **_times(artifactory, key, f"/{file.path}", [file]),
        "downloadUri": f"{base}/{key}/{file.path}",
        "remoteUrl": file.remote_url,
        "mimeType": file.mime_type,
        "size": str(file.content.size),
        "checksums": checksums,
        "originalChecksums": checksums,
        "uri": uri,
    }


def _folder(artifactory: Artifactory, key: str, cache: Cache, path: str, uri: str) -> dict[str, Any]:
    children = [{"uri": f"/{name}", "folder": folder} for name, folder in cache.children(path).items()]
    return {**_times(artifactory, key, f"/{path}", cache.below(path)), "children": children, "uri": uri}


def _times(artifactory: Artifactory, key: str, path: str, files: list[CachedFile]) -> dict[str, Any]:
    """Times of a file; those of a folder are the creation of its first and the change of its last file."""
    clock = artifactory.simulator.clock
    first, last = (min(files, key=_created), max(files, key=_created)) if files else (None, None)
    return {
        "repo": key,
        "path": path,
        "created": clock.rfc3339(first.created if first else None),
        "createdBy": first.created_by if first else "",
        "lastModified": clock.rfc3339(last.modified if last else None),
        "modifiedBy": last.created_by if last else "",
        "lastUpdated": clock.rfc3339(max((file.updated for file in files), default=None)),
    }


def _created(file: CachedFile) -> float:
    return file.created


def _listing(clock: Clock, cache: Cache, path: str, uri: str, query: QueryParams) -> dict[str, Any]:
    """The files below a folder: `deep=1` at any depth, `listFolders=1` with folders."""
    rows: dict[str, dict[str, Any]] = {}
    for file in cache.below(path):
        name, modified = "/" + file.path.removeprefix(path).strip("/"), clock.rfc3339(file.modified)
        for folder in map(str, PurePosixPath(name).parents[:-1]):
            rows[folder] = {"uri": folder, "size": -1, "lastModified": modified, "folder": True}
        checksums = {"sha1": file.content.sha1, "sha2": file.content.sha256}
        rows[name] = {"uri": name, "size": file.content.size, "lastModified": modified, "folder": False, **checksums}
    deep, folders = query.get("deep") == "1", query.get("listFolders") == "1"
    selected = [row for row in rows.values() if (deep or row["uri"].count("/") == 1) and (folders or not row["folder"])]
    return {"uri": uri, "created": clock.rfc3339(), "files": selected}


def _stats(cache: Cache, path: str, uri: str) -> dict[str, Any]:
    """Downloads of a file, with times in epoch milliseconds; zero for a folder."""
    file = cache.files.get(path)
    counted: dict[str, Any] = {
        "downloadCount": file.downloads if file else 0,
        "lastDownloaded": int(file.downloaded * 1000) if file else 0,
        "remoteDownloadCount": 0,
        "remoteLastDownloaded": 0,
    }
    if file and file.downloaded_by:
        counted["lastDownloadedBy"] = file.downloaded_by
    return {"uri": uri, **counted}


# --- delete and zap ---------------------------------------------------------------------------------------------------
async def delete(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    """Delete a cached file or folder. The key is that of the cache or of the remote repository."""
    key, path = request.path_params["key"], request.path_params.get("path", "").strip("/")
    if key in RESERVED_KEYS:
        raise not_simulated(request)
    owner = artifactory.cache_owner(key if key.endswith("-cache") else f"{key}-cache")
    if not artifactory.permissions.allows(caller, "DELETE", owner, path):
        raise ApiError(403, "Forbidden")
    cache = artifactory.remote(owner).cache
    if not cache.has(path):
        raise ApiError(404, _NOT_FOUND)
    cache.remove(path)
    return Response(status_code=204)


async def zap(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    version = artifactory.settings.version
    if version < (7, 49, 3):
        raise ApiError(404, "Not Found")
    key, path = request.path_params["key"], request.path_params.get("path", "").strip("/")
    if not key.endswith("-cache"):
        raise ApiError(400, f"Repository '{key}' is not a cache repository")
    owner = artifactory.cache_owner(key)
    may = any(artifactory.permissions.allows(caller, action, owner, path) for action in ("MANAGE", "DELETE"))
    if version >= (7, 104, 12) and not may:
        raise ApiError(403, "Forbidden")
    artifactory.remote(owner).zap(path)
    return compact({"Message": f"Completed zapping cache in path {key}/{path}".rstrip("/")})


def routes() -> list[BaseRoute]:
    cache_routes: list[BaseRoute] = []
    for path in ("{key}", "{key}/{path:path}"):
        cache_routes += [
            route(f"/artifactory/api/storage/{path}", info, kind="storage.info"),
            route(f"/artifactory/api/zap/{path}", zap, kind="cache.zap", methods=["POST"]),
            route(f"/artifactory/{path}", delete, kind="cache.delete", methods=["DELETE"]),
        ]
    return cache_routes
