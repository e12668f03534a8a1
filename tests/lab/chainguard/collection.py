# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations of every collection of the v2 API: list with filters and pages, get, create, update, delete."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.routing import Route

from .gateway import Parameters, RequestContext, missing_capability, route
from .messages import (
    FAILED_PRECONDITION,
    INVALID_ARGUMENT,
    NOT_FOUND,
    ApiError,
    blank,
    camel,
    invalid_argument,
    mask_of,
    merge,
    read,
)
from .state import Chainguard, Record, child_uid, parent_of, within

DEFAULT_PAGE, MAX_PAGE = 50, 200
PAGE_TOKEN_SECONDS = 3 * 86400

Filter = Callable[[Record, str], bool]


def by_name(record: Record, value: str) -> bool:
    return bool(record["name"] == value)


def _unchanged(_state: Chainguard, record: Record) -> Record:
    return record


@dataclass(frozen=True)
class Collection:
    """One collection. Without `check` it is read-only.

    `check(call, group, record)` validates and completes a created or changed record. It raises ApiError.
    """

    path: str
    plural: str
    kind: str
    capability: str
    message: str
    table: Callable[[Chainguard], dict[str, Record]]
    filters: Mapping[str, Filter] = field(default_factory=dict)
    check: Callable[[RequestContext, str, Record], None] | None = None
    writable: frozenset[str] = frozenset()
    show: Callable[[Chainguard, Record], Record] = _unchanged
    select: Callable[[Record, Parameters], bool] = lambda _record, _parameters: True
    has_total_count: bool = False

    def routes(self) -> list[Route]:
        item_path = f"{self.path}/{{uid:path}}"
        routes = [
            route(self.path, "GET", f"{self.kind}.list", self.list_),
            route(item_path, "GET", f"{self.kind}.get", self.get),
        ]
        if self.check:
            routes += [
                route(self.path, "POST", f"{self.kind}.create", self.create),
                route(item_path, "POST", f"{self.kind}.create", self.create),
                route(item_path, "PATCH", f"{self.kind}.update", self.update),
                route(item_path, "DELETE", f"{self.kind}.delete", self.delete),
            ]
        return routes

    def group_of(self, uid: str) -> str:
        """The group of a record: a group itself, the repository of a tag, the parent of anything else."""
        return uid if self.plural == "groups" else parent_of(uid)

    def list_(self, call: RequestContext) -> dict[str, Any]:
        size, skip = call.parameters.number("pageSize"), call.parameters.number("skip")
        if size < 0 or skip < 0:
            raise invalid_argument("pageSize" if size < 0 else "skip", "must not be negative")
        target = call.parameters.text("uidp.childrenOf") or call.parameters.text("uidp.descendantsOf")
        groups = call.groups_with(f"{self.capability}_LIST", target)
        visible = [
            record
            for uid, record in self.table(call.state).items()
            if self._managed(uid) or any(within(uid, group) for group in groups)
        ]
        records = [record for record in visible if self._is_selected(record, call.parameters)]
        return self._page(call, records, min(size or DEFAULT_PAGE, MAX_PAGE), skip)

    def _managed(self, uid: str) -> bool:
        """Whether a UID is that of a managed role, which belongs to no organization and is visible to all."""
        return self.plural == "roles" and "/" not in uid

    def _is_selected(self, record: Record, parameters: Parameters) -> bool:
        uid, text = record["uid"], parameters.text
        ids = parameters.all("uidp.ids")
        uidp = (
            (not text("uidp.childrenOf") or parent_of(uid) == text("uidp.childrenOf"))
            and (not text("uidp.descendantsOf") or within(parent_of(uid), text("uidp.descendantsOf")))
            and (not text("uidp.ancestorsOf") or within(text("uidp.ancestorsOf"), self.group_of(uid)))
            and (not parameters.flag("uidp.inRoot") or "/" not in uid)
            and (not ids or uid in ids)
        )
        given = {name: text(name) for name in self.filters if text(name)}
        return (
            uidp
            and all(self.filters[name](record, value) for name, value in given.items())
            and self.select(record, parameters)
        )

    def _page(self, call: RequestContext, records: list[Record], size: int, skip: int) -> dict[str, Any]:
        order = call.parameters.text("orderBy") or "uid asc"
        name, _ignored, direction = order.partition(" ")
        if camel(name) not in blank(self.message) or direction not in ("", "asc", "desc"):
            raise invalid_argument("orderBy", f"cannot order by {order!r}")

        def key(record: Record) -> tuple[str, str]:
            return str(record[camel(name)]), record["uid"]

        descending = direction == "desc"
        records = sorted(records, key=key, reverse=descending)
        total, skipped, rest = len(records), skip, records
        if token := call.parameters.text("pageToken"):
            last, before = _decode_page_token(call, token, order)
            rest = [record for record in records if (key(record) < last if descending else key(record) > last)]
            skipped += before
        page = rest[skip : skip + size]
        more = len(rest) > skip + size
        body = {
            self.plural: [self.show(call.state, record) for record in page],
            "nextPageToken": _encode_page_token(call, order, key(page[-1]), skipped) if more else "",
            "skipped": skipped,
        }
        return body | ({"totalCount": str(total)} if self.has_total_count else {})

    def get(self, call: RequestContext) -> Record:
        if not call.uid:
            raise invalid_argument("uid", "must not be empty")
        if self._managed(call.uid):
            call.groups_with(f"{self.capability}_LIST")
        else:
            call.require(f"{self.capability}_LIST", call.uid)
        return self.show(call.state, self._find(call))

    def _find(self, call: RequestContext) -> Record:
        record = self.table(call.state).get(call.uid)
        if not record:
            raise ApiError(NOT_FOUND, f"{self.message} {call.uid} not found")
        return record

    def create(self, call: RequestContext) -> Record:
        given = read(self.message, call.body)
        if not call.uid:
            raise invalid_argument("parent", "must not be empty")
        call.require(f"{self.capability}_CREATE", call.uid)
        if call.uid not in call.state.groups:
            raise ApiError(NOT_FOUND, f"Group {call.uid} not found")
        return self.show(call.state, self.add(call, call.uid, given))

    def add(self, call: RequestContext, group: str, given: dict[str, Any]) -> Record:
        """Validate and store a record with the fields in `given`."""
        names = [name for name in given if name in self.writable]
        record = merge(self.message, blank(self.message), given, names)
        self._check(call, group, record)
        uid = child_uid(group)
        call.state.delay_effect(uid)
        return call.state.put(self.table(call.state), self.message, uid, record)

    def _check(self, call: RequestContext, group: str, record: Record) -> None:
        assert self.check, f"{self.plural} are read only"
        self.check(call, group, record)

    def update(self, call: RequestContext) -> Record:
        given = read(self.message, call.body)
        call.require(f"{self.capability}_UPDATE", call.uid)
        paths = [camel(path) for path in call.parameters.text("updateMask").split(",") if path]
        mask = [path for path in paths or mask_of(self.message, given) if path.partition(".")[0] in self.writable]
        record = merge(self.message, self._find(call), given, mask)
        self._check(call, parent_of(call.uid), record)
        record["updateTime"] = call.state.simulator.clock.rfc3339()
        self.table(call.state)[call.uid] = record
        return self.show(call.state, record)

    def delete(self, call: RequestContext) -> dict[str, Any]:
        if "/" not in call.uid:
            raise missing_capability(f"{self.capability}_DELETE", call.uid or "any group")
        call.require(f"{self.capability}_DELETE", call.uid)
        if self.plural == "groups" and call.state.is_parent(call.uid):
            raise ApiError(FAILED_PRECONDITION, f"Group {call.uid} is not empty")
        removed = call.state.remove(self.table(call.state), call.uid)
        if not removed and call.state.simulator.settings["delete_missing"] != 200:
            raise ApiError(NOT_FOUND, f"{self.message} {call.uid} not found")
        return {}


def _encode_page_token(call: RequestContext, order: str, last: tuple[str, str], skipped: int) -> str:
    content = [order, call.state.simulator.clock.now(), last, skipped]
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def _decode_page_token(call: RequestContext, token: str, order: str) -> tuple[tuple[str, str], int]:
    try:
        token_order, created_at, (value, uid), skipped = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise ApiError(INVALID_ARGUMENT, "invalid page token") from error
    if token_order != order or created_at + PAGE_TOKEN_SECONDS < call.state.simulator.clock.now():
        raise ApiError(INVALID_ARGUMENT, "invalid page token: it is expired, or of another order")
    return (value, uid), skipped
