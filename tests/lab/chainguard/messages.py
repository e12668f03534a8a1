# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API's messages and errors as its REST gateway reads and writes them (facts/chainguard.md#api-gateway)."""

from __future__ import annotations

import copy
import re
from datetime import datetime
from typing import Any, NamedTuple

HTTP_STATUS = {3: 400, 5: 404, 6: 409, 7: 403, 9: 400, 12: 501, 16: 401}
INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, FAILED_PRECONDITION, UNAUTHENTICATED = 3, 5, 6, 7, 9, 16

RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


class OneOf(NamedTuple):
    """A field that a response has only if it was set; `of` is `str` or the name of a message."""

    of: type | str


# Each field with its value when unset. None stands for a timestamp.
MESSAGES: dict[str, dict[str, Any]] = {
    "Group": {
        "uid": "",
        "name": "",
        "description": "",
        "resourceLimits": {},
        "verified": False,
        "createTime": None,
        "updateTime": None,
        "kind": "ORG_KIND_UNSPECIFIED",
        "status": "ORG_STATUS_UNSPECIFIED",
    },
    "Identity": {
        "uid": "",
        "name": "",
        "description": "",
        "email": "",
        "emailUnverified": "",
        "company": "",
        "staticKeys": OneOf("StaticKeys"),
        "claimMatch": OneOf("ClaimMatch"),
        "createTime": None,
        "updateTime": None,
        "lastSeenTime": None,
    },
    "StaticKeys": {"issuer": "", "subject": "", "issuerKeys": "", "expirationTime": None, "audiences": []},
    "ClaimMatch": {
        "issuer": OneOf(str),
        "issuerPattern": OneOf(str),
        "subject": OneOf(str),
        "subjectPattern": OneOf(str),
        "audience": OneOf(str),
        "audiencePattern": OneOf(str),
        "claims": {},
        "claimPatterns": {},
    },
    "Role": {"uid": "", "name": "", "description": "", "capabilities": [], "createTime": None, "updateTime": None},
    "RoleBinding": {"uid": "", "identityUid": "", "roleUid": "", "createTime": None},
    "BatchCreate": {"parent": "", "requests": [], "roleUid": ""},
    "CreateRoleBinding": {"parent": "", "roleBinding": OneOf("RoleBinding")},
    "Repo": {
        "uid": "",
        "name": "",
        "description": "",
        "catalogTier": "CATALOG_TIER_UNSPECIFIED",
        "bundles": [],
        "aliases": [],
        "activeTags": [],
        "sync_config": None,
        "customOverlay": None,
        "createTime": None,
        "updateTime": None,
    },
    "Tag": {"uid": "", "name": "", "digest": "", "updateTime": None, "deprecated": False, "bundles": []},
}


class ApiError(Exception):
    """A `google.rpc.Status`. `field` is the name of an invalid field."""

    def __init__(self, code: int, message: str, field: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.field = code, message, field

    @property
    def body(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "details": self._details()}

    def _details(self) -> list[dict[str, Any]]:
        if not self.field:
            return []
        violation = {"field": self.field, "description": self.message}
        info = {"reason": "INVALID_ARGUMENT", "domain": "iam.chainguard.dev", "metadata": {}}
        return [
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", **info},
            {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]},
        ]


def invalid_argument(field: str, problem: str) -> ApiError:
    return ApiError(INVALID_ARGUMENT, f"Invalid argument: {field}: {problem}", field)


def to_camel_case(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def make_empty(message: str) -> dict[str, Any]:
    """A message without any set field, as the gateway writes it."""
    fields = MESSAGES[message].items()
    return {name: copy.copy(zero) for name, zero in fields if not isinstance(zero, OneOf)}


def parse_message(message: str, body: Any) -> dict[str, Any]:
    """The fields of a request body in either spelling, without unknown ones. Raises ApiError for a wrong type."""
    if not isinstance(body, dict):
        raise ApiError(INVALID_ARGUMENT, f"proto: syntax error: unexpected value for {message}")
    fields = MESSAGES[message]
    given = {to_camel_case(name): value for name, value in body.items() if value is not None}
    return {name: _read_field(name, fields[name], value) for name, value in given.items() if name in fields}


def _read_field(name: str, zero: Any, value: Any) -> Any:
    if _is_message(zero):
        return parse_message(zero.of, value)
    expected: Any = zero.of if isinstance(zero, OneOf) else type(zero)
    if zero is None:
        timestamp(name, value)
    elif not isinstance(value, expected):
        raise ApiError(INVALID_ARGUMENT, f"proto: invalid value for field {name}: {value!r}")
    return value


def timestamp(name: str, value: Any) -> float:
    """Epoch seconds of an RFC 3339 time. Raises ApiError if `value` is not one."""
    # datetime of Python 3.10 reads neither "Z" nor a fraction of other than 3 or 6 digits.
    match = RFC3339.fullmatch(value) if isinstance(value, str) else None
    try:
        whole, fraction, zone = match.groups() if match else ("", "", "")
        return datetime.fromisoformat(whole + zone.replace("Z", "+00:00")).timestamp() + float(fraction or 0)
    except ValueError as error:
        raise ApiError(INVALID_ARGUMENT, f"proto: invalid google.protobuf.Timestamp for {name}: {value!r}") from error


def merge(message: str, record: dict[str, Any], given: dict[str, Any], mask: list[str]) -> dict[str, Any]:
    """A copy of a record with the fields of the mask (`name`, `staticKeys.expirationTime`) from `given`."""
    result = {**record}
    for path in mask:
        name, _ignored, rest = path.partition(".")
        zero = MESSAGES[message].get(name, KeyError)
        if zero is KeyError or (rest and not _is_message(zero)):
            raise ApiError(INVALID_ARGUMENT, f"invalid update mask path: {path}")
        if rest:
            result[name] = merge(zero.of, result.get(name, make_empty(zero.of)), given.get(name, {}), [rest])
        elif name in given:
            result[name] = make_empty(zero.of) | given[name] if _is_message(zero) else given[name]
        elif isinstance(zero, OneOf):
            result.pop(name, None)
        else:
            result[name] = copy.copy(zero)
    return result


def derive_mask(message: str, given: dict[str, Any]) -> list[str]:
    """The update mask that the gateway derives from a body: the paths of its leaves."""
    paths: list[str] = []
    for name, value in given.items():
        zero = MESSAGES[message][name]
        paths += [f"{name}.{path}" for path in derive_mask(zero.of, value)] if _is_message(zero) else [name]
    return paths


def _is_message(zero: Any) -> bool:
    return isinstance(zero, OneOf) and isinstance(zero.of, str)


def drop_unset(value: Any) -> Any:
    """Remove unset fields, as a gateway does that does not emit them."""
    if isinstance(value, dict):
        kept = {name: drop_unset(item) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item not in (None, "", 0, [], {})}
    return [drop_unset(item) for item in value] if isinstance(value, list) else value
