# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of AQL that finds cached files by name (facts/artifactory.md#cache)."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from .auth import Caller
from .cache import CachedFile
from .responses import ApiError, compact, route
from .store import Repository

if TYPE_CHECKING:
    from .state import Artifactory

_FIND = re.compile(r"\s*items\.find\s*\((?P<criteria>\{.*\}|)\)\s*(\.include\((?P<fields>[^)]*)\))?\s*", re.DOTALL)


async def find_items(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    """Run `items.find({field: value | {"$eq"|"$match": value}}).include(fields)`. Raises ApiError 400 for others."""
    query = _FIND.fullmatch((await request.body()).decode())
    if query is None:
        raise ApiError(400, "Failed to parse query")
    fields = re.findall(r'"([^"]+)"', query["fields"] or "")
    if not caller.admin and fields and not {"repo", "path", "name"} <= set(fields):
        raise ApiError(400, "For permissions reasons AQL demands the following fields: Repo, Path and Name.")
    is_match = _criteria(query["criteria"])
    results = []
    for repository in artifactory.store:
        if repository.rclass != "remote":
            continue
        for file in artifactory.remote(repository).cache.files.values():
            item = _item(artifactory, repository, file)
            if is_match(item) and artifactory.permissions.allows(caller, "READ", repository, file.path):
                results.append({name: value for name, value in item.items() if not fields or name in fields})
    return compact({"results": results, "range": {"start_pos": 0, "end_pos": len(results), "total": len(results)}})


def _criteria(text: str) -> Callable[[dict[str, Any]], bool]:
    try:
        conditions = json.loads(text or "{}")
    except ValueError as error:
        raise ApiError(400, f"Failed to parse query: {error}") from error
    tests = []
    for field, condition in conditions.items():
        operator, value = condition.popitem() if isinstance(condition, dict) and condition else ("$eq", condition)
        if operator not in ("$eq", "$match"):
            raise ApiError(400, f"Failed to parse query: {operator} is not simulated")
        pattern = re.escape(str(value)) if operator == "$eq" else fnmatch.translate(str(value))
        tests.append((field, re.compile(pattern)))
    return lambda item: all(test.fullmatch(str(item.get(field, ""))) for field, test in tests)


def _item(artifactory: Artifactory, owner: Repository, file: CachedFile) -> dict[str, Any]:
    clock = artifactory.simulator.clock
    return {
        "repo": f"{owner.key}-cache",
        "path": file.folder,
        "name": file.name,
        "type": "file",
        "size": file.content.size,
        "created": clock.rfc3339(file.created),
        "created_by": file.created_by,
        "modified": clock.rfc3339(file.modified),
        "modified_by": file.created_by,
        "updated": clock.rfc3339(file.updated),
    }


def routes() -> list[BaseRoute]:
    return [route("/artifactory/api/search/aql", find_items, kind="search.aql", methods=["POST"])]
