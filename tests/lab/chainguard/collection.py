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
    derive_mask,
    invalid_argument,
    make_empty,
    merge,
    parse_message,
    to_camel_case,
)
from .state import Chainguard, Record, child_uid, get_parent, is_within

DEFAULT_PAGE, MAX_PAGE = 50, 200
PAGE_TOKEN_SECONDS = 3 * 86400

Filter = Callable[[Record, str], bool]


def by_name(record: Record, value: str) -> bool:
    return bool(record["name"] == value)


def _unchanged(_state: Chainguard, record: Record) -> Record:
    return record


@dataclass(frozen=True)
class Collection:
    """One collection. Without `validate` it is read-only.

    `validate(context, group, record)` validates and completes a created or changed record. It raises ApiError.
    """

    path: str
    plural: str
    kind: str
    capability: str
    message: str
    table: Callable[[Chainguard], dict[str, Record]]
    filters: Mapping[str, Filter] = field(default_factory=dict)
    validate: Callable[[RequestContext, str, Record], None] | None = None
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
        if self.validate:
            routes += [
                route(self.path, "POST", f"{self.kind}.create", self.create),
                route(item_path, "POST", f"{self.kind}.create", self.create),
                route(item_path, "PATCH", f"{self.kind}.update", self.update),
                route(item_path, "DELETE", f"{self.kind}.delete", self.delete),
            ]
        return routes

    def get_group(self, uid: str) -> str:
        """The group of a record: a group itself, the repository of a tag, the parent of anything else."""
        return uid if self.plural == "groups" else get_parent(uid)

    def list_(self, context: RequestContext) -> dict[str, Any]:
        size, skip = context.parameters.number("pageSize"), context.parameters.number("skip")
        if size < 0 or skip < 0:
            raise invalid_argument("pageSize" if size < 0 else "skip", "must not be negative")
        target = context.parameters.text("uidp.childrenOf") or context.parameters.text("uidp.descendantsOf")
        groups = context.groups_with(f"{self.capability}_LIST", target)
        visible = [
            record
            for uid, record in self.table(context.state).items()
            if self._is_managed_role(uid) or any(is_within(uid, group) for group in groups)
        ]
        records = [record for record in visible if self._is_selected(record, context.parameters)]
        return self._page(context, records, min(size or DEFAULT_PAGE, MAX_PAGE), skip)

    def _is_managed_role(self, uid: str) -> bool:
        """Whether a UID is that of a managed role, which belongs to no organization and is visible to all."""
        return self.plural == "roles" and "/" not in uid

    def _is_selected(self, record: Record, parameters: Parameters) -> bool:
        uid, text = record["uid"], parameters.text
        ids = parameters.all("uidp.ids")
        uidp = (
            (not text("uidp.childrenOf") or get_parent(uid) == text("uidp.childrenOf"))
            and (not text("uidp.descendantsOf") or is_within(get_parent(uid), text("uidp.descendantsOf")))
            and (not text("uidp.ancestorsOf") or is_within(text("uidp.ancestorsOf"), self.get_group(uid)))
            and (not parameters.flag("uidp.inRoot") or "/" not in uid)
            and (not ids or uid in ids)
        )
        given = {name: text(name) for name in self.filters if text(name)}
        return (
            uidp
            and all(self.filters[name](record, value) for name, value in given.items())
            and self.select(record, parameters)
        )

    def _page(self, context: RequestContext, records: list[Record], size: int, skip: int) -> dict[str, Any]:
        order = context.parameters.text("orderBy") or "uid asc"
        name, _ignored, direction = order.partition(" ")
        if to_camel_case(name) not in make_empty(self.message) or direction not in ("", "asc", "desc"):
            raise invalid_argument("orderBy", f"cannot order by {order!r}")

        def key(record: Record) -> tuple[str, str]:
            return str(record[to_camel_case(name)]), record["uid"]

        descending = direction == "desc"
        records = sorted(records, key=key, reverse=descending)
        total, skipped, rest = len(records), skip, records
        if token := context.parameters.text("pageToken"):
            last, before = _decode_page_token(context, token, order)
            rest = [record for record in records if (key(record) < last if descending else key(record) > last)]
            skipped += before
        page = rest[skip : skip + size]
        more = len(rest) > skip + size
        body = {
            self.plural: [self.show(context.state, record) for record in page],
            "nextPageToken": _encode_page_token(context, order, key(page[-1]), skipped) if more else "",
            "skipped": skipped,
        }
        return body | ({"totalCount": str(total)} if self.has_total_count else {})

    def get(self, context: RequestContext) -> Record:
        if not context.uid:
            raise invalid_argument("uid", "must not be empty")
        if self._is_managed_role(context.uid):
            context.groups_with(f"{self.capability}_LIST")
        else:
            context.require(f"{self.capability}_LIST", context.uid)
        return self.show(context.state, self._find(context))

    def _find(self, context: RequestContext) -> Record:
        record = self.table(context.state).get(context.uid)
        if not record:
            raise ApiError(NOT_FOUND, f"{self.message} {context.uid} not found")
        return record

    def create(self, context: RequestContext) -> Record:
        given = parse_message(self.message, context.body)
        if not context.uid:
            raise invalid_argument("parent", "must not be empty")
        context.require(f"{self.capability}_CREATE", context.uid)
        if context.uid not in context.state.groups:
            raise ApiError(NOT_FOUND, f"Group {context.uid} not found")
        return self.show(context.state, self.add(context, context.uid, given))

    def add(self, context: RequestContext, group: str, given: dict[str, Any]) -> Record:
        """Validate and store a record with the fields in `given`."""
        names = [name for name in given if name in self.writable]
        record = merge(self.message, make_empty(self.message), given, names)
        self._validate(context, group, record)
        uid = child_uid(group)
        context.state.delay_effect(uid)
        return context.state.put(self.table(context.state), self.message, uid, record)

    def _validate(self, context: RequestContext, group: str, record: Record) -> None:
        assert self.validate, f"{self.plural} are read-only"
        self.validate(context, group, record)

    def update(self, context: RequestContext) -> Record:
        given = parse_message(self.message, context.body)
        context.require(f"{self.capability}_UPDATE", context.uid)
        paths = [to_camel_case(path) for path in context.parameters.text("updateMask").split(",") if path]
        mask = [path for path in paths or derive_mask(self.message, given) if path.partition(".")[0] in self.writable]
        record = merge(self.message, self._find(context), given, mask)
        self._validate(context, get_parent(context.uid), record)
        record["updateTime"] = context.state.simulator.clock.rfc3339()
        self.table(context.state)[context.uid] = record
        return self.show(context.state, record)

    def delete(self, context: RequestContext) -> dict[str, Any]:
        if "/" not in context.uid:
            raise missing_capability(f"{self.capability}_DELETE", context.uid or "any group")
        context.require(f"{self.capability}_DELETE", context.uid)
        if self.plural == "groups" and context.state.is_parent(context.uid):
            raise ApiError(FAILED_PRECONDITION, f"Group {context.uid} is not empty")
        removed = context.state.remove(self.table(context.state), context.uid)
        if not removed and context.state.simulator.settings["delete_missing"] != 200:
            raise ApiError(NOT_FOUND, f"{self.message} {context.uid} not found")
        return {}


def _encode_page_token(context: RequestContext, order: str, last: tuple[str, str], skipped: int) -> str:
    content = [order, context.state.simulator.clock.now(), last, skipped]
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def _decode_page_token(context: RequestContext, token: str, order: str) -> tuple[tuple[str, str], int]:
    try:
        token_order, created_at, (value, uid), skipped = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise ApiError(INVALID_ARGUMENT, "invalid page token") from error
    if token_order != order or created_at + PAGE_TOKEN_SECONDS < context.state.simulator.clock.now():
        raise ApiError(INVALID_ARGUMENT, "invalid page token: it is expired, or of another order")
    return (value, uid), skipped
