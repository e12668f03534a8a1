# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of AQL that finds cached files by name (facts/artifactory.md#cache)."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Iterable, Iterator, Set
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

_FIND = re.compile(r"\s*items\.find\s*\((?P<criteria>\{.*?\}|)\)\s*(?P<steps>(\.\w+\s*\([^()]*\)\s*)*)", re.DOTALL)
_STEP = re.compile(r"\.(\w+)\s*\(([^()]*)\)")
_STEPS = frozenset({"include", "sort", "offset", "limit"})
_INCLUDABLE = frozenset({"actual_md5", "actual_sha1", "sha256"})
_FIELDS = _INCLUDABLE | {
    *("repo", "path", "name", "type", "size"),
    *("created", "created_by", "modified", "modified_by", "updated"),
}
Item = dict[str, Any]
Matcher = Callable[[Item], bool]


async def find_items(artifactory: Artifactory, caller: Caller, request: Request) -> Response:
    """Run `items.find(criteria)` with include, sort, offset and limit. Raises ApiError 400 for anything else."""
    query = _FIND.fullmatch((await request.body()).decode())
    if query is None:
        raise ApiError(400, "Failed to parse query")
    steps = dict(_STEP.findall(query["steps"]))
    if unknown := steps.keys() - _STEPS:
        raise ApiError(400, f"Failed to parse query: {', '.join(sorted(unknown))} is not simulated")
    fields = re.findall(r'"([^"]+)"', steps.get("include", ""))
    _require_fields(set(fields) - {"*"})
    if not caller.admin and fields and not {"repo", "path", "name"} <= set(fields):
        raise ApiError(400, "For permissions reasons AQL demands the following fields: Repo, Path and Name.")
    is_match = _matcher(_parse(query["criteria"] or "{}"))
    items = _sort([item for item in _readable_items(artifactory, caller) if is_match(item)], steps.get("sort", ""))
    start = _number(steps.get("offset", "0"))
    stop = start + _number(steps["limit"]) if "limit" in steps else len(items)
    results = [_selected(item, fields) for item in items[start:stop]]
    bounds: dict[str, int] = {"start_pos": start, "end_pos": start + len(results), "total": len(results)}
    if "limit" in steps:
        bounds["limit"] = stop - start
    return compact({"results": results, "range": bounds})


def _readable_items(artifactory: Artifactory, caller: Caller) -> Iterator[Item]:
    for repository in artifactory.store:
        if repository.rclass != "remote":
            continue
        for file in artifactory.remote(repository).cache.files.values():
            if artifactory.permissions.allows(caller, "READ", repository, file.path):
                yield _item(artifactory, repository, file)


def _selected(item: Item, fields: list[str]) -> Item:
    """The included fields, or all but the checksums."""
    names = set(fields) - {"*"} if fields and "*" not in fields else item.keys() - _INCLUDABLE
    return {name: value for name, value in item.items() if name in names or name in fields}


def _require_fields(names: Set[str]) -> None:
    if unknown := names - _FIELDS:
        raise ApiError(400, f"Failed to parse query: {', '.join(sorted(unknown))} is not simulated")


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ApiError(400, f"Failed to parse query: {error}") from error


def _number(text: str) -> int:
    if not text.strip().isdecimal():
        raise ApiError(400, f"Failed to parse query: {text} is not a number")
    return int(text)


def _sort(items: list[Item], step: str) -> list[Item]:
    """Sort by `{"$asc" | "$desc": [field]}`."""
    if not step:
        return items
    ((order, names),) = _parse(step).items()
    if order not in ("$asc", "$desc"):
        raise ApiError(400, f"Failed to parse query: {order} is not simulated")
    _require_fields(set(names))
    return sorted(items, key=lambda item: [item[name] for name in names], reverse=order == "$desc")


def _matcher(conditions: dict[str, Any]) -> Matcher:
    """A test of an item: all conditions, of which `$and` and `$or` have conditions of their own."""
    tests: list[Matcher] = []
    for name, condition in conditions.items():
        if name in ("$and", "$or"):
            tests.append(_combined(all if name == "$and" else any, [_matcher(nested) for nested in condition]))
        else:
            tests.append(_field_test(name, condition))
    return _combined(all, tests)


def _combined(function: Callable[[Iterable[bool]], bool], tests: list[Matcher]) -> Matcher:
    return lambda item: function(test(item) for test in tests)


def _field_test(name: str, condition: Any) -> Matcher:
    """A test of one field: a value, or `{"$eq" | "$ne" | "$match" | "$nmatch": value}`."""
    if name.startswith("$"):
        raise ApiError(400, f"Failed to parse query: {name} is not simulated")
    _require_fields({name})
    if name == "type" and condition != "file":
        raise ApiError(400, "Failed to parse query: a search for folders is not simulated")
    operators = condition if isinstance(condition, dict) else {"$eq": condition}
    tests: list[Matcher] = []
    for operator, value in operators.items():
        if operator not in ("$eq", "$ne", "$match", "$nmatch"):
            raise ApiError(400, f"Failed to parse query: {operator} is not simulated")
        is_pattern, negated = operator.endswith("match"), operator.startswith("$n")
        pattern = re.compile(fnmatch.translate(str(value)) if is_pattern else re.escape(str(value)))
        tests.append(_pattern_test(name, pattern, negated=negated))
    return _combined(all, tests)


def _pattern_test(name: str, pattern: re.Pattern[str], *, negated: bool) -> Matcher:
    return lambda item: (pattern.fullmatch(str(item[name])) is None) is negated


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
        "actual_md5": file.content.md5,
        "actual_sha1": file.content.sha1,
        "sha256": file.content.sha256,
    }


def routes() -> list[BaseRoute]:
    return [route("/artifactory/api/search/aql", find_items, kind="search.aql", methods=["POST"])]
