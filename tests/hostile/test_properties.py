# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each call of each client with changed responses either succeeds or raises an error with a message that can be shown.

HOSTILE_EXAMPLES sets the number of examples for each call, which then are random. make fuzz sets it to 2,000.
"""

from __future__ import annotations

import copy
import json
import os
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InternalError, PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._text import clean_result
from hostile.calls import CALLS, Call, encode, respond
from hostile.conftest import check_text

EXAMPLES = os.environ.get("HOSTILE_EXAMPLES")
RUN = settings(
    max_examples=int(EXAMPLES or 50),
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
UNUSUAL = (
    *(None, True, 0, -1, 1.5, 2**70, "", "x", "\x1b[31m", "\u202e", "\ud800", "../..", "a b", "sha256:" + "0" * 64),
    *("2026-02-31T00:00:00Z", "9999-12-31T23:59:59Z", "http://[::1", "http://169.254.169.254/", "file:///etc/passwd"),
    *("1" * 400, "7.104.2", "x" * 5000, "\x00", "http://x:0/", "//", "?", "%00", "%2e%2e/"),
)
VALUES = st.recursive(
    st.sampled_from(UNUSUAL) | st.text(max_size=20) | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda nested: st.lists(nested, max_size=3) | st.dictionaries(st.text(max_size=8), nested, max_size=3),
    max_leaves=8,
)
BYTES = st.binary(max_size=40) | st.sampled_from(
    [b"<", b">", b"&a;", b"<!DOCTYPE a>", b"<!--", b"<a href=", b"\xff", b"\x00", b"\n", b"'", b'"', b"#sha256=", b"//"]
)
# Changes that once led to an internal error or an unsafe text: the call, the status, the path in its documents, and the value.
REGRESSIONS: list[tuple[str, int, tuple[t.Any, ...], t.Any]] = [
    ("registry_token", 201, ("token",), {"reason": "\u202e"}),
    ("version", 200, ("version",), {"version": "1" * 5000}),
    ("tag_history", 200, ("history", "items", 0, "updateTimestamp"), "2026-13-01T00:00:00Z"),
    ("registry_token", 200, ("token",), {"token": None, "access_token": None}),
]


def paths(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    """Yield the path of each value in a document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


def replace(document: t.Any, path: tuple[t.Any, ...], value: t.Any) -> t.Any:
    """Return a copy of a document with another value at a path."""
    if not path:
        return value
    changed = copy.copy(document)
    changed[path[0]] = replace(document[path[0]], path[1:], value)
    return changed


def change(data: st.DataObject, document: t.Any) -> t.Any:
    """Return a changed document: with another value somewhere, or for other formats with other bytes."""
    if isinstance(document, (str, bytes)):
        body = encode(document)
        start = data.draw(st.integers(0, len(body)))
        end = data.draw(st.integers(start, min(len(body), start + 40)))
        return body[:start] + data.draw(BYTES) + body[end:]
    path = data.draw(st.sampled_from(list(paths(document))))
    return replace(document, path, data.draw(VALUES))


def run(call: Call, documents: t.Mapping[str, t.Any], status: int = 200) -> tuple[t.Any, PullThroughError | None]:
    """Return the result of a call, or its error."""
    try:
        return call.run(respond(call, documents, status)), None
    except PullThroughError as error:
        return None, error


def check(call: Call, documents: t.Mapping[str, t.Any], status: int = 200) -> None:
    result, error = run(call, documents, status)
    if error is None:
        json.dumps(clean_result(result), ensure_ascii=False, default=repr).encode()
        return
    assert not isinstance(error, InternalError)
    check_text(str(error) + json.dumps(error.details(), ensure_ascii=False).replace("\\n", " "))
    assert len(str(error)) <= 1500


@pytest.mark.parametrize("name", CALLS)
def test_a_valid_response_is_accepted(name: str) -> None:
    _result, error = run(CALLS[name], CALLS[name].documents)
    # The files and checksums of some examples are not real.
    assert error is None or any(part in str(error) for part in ("sum", "sha", "status 401")), str(error)


@pytest.mark.parametrize("name", CALLS)
@RUN
@given(data=st.data())
def test_a_changed_response(name: str, data: st.DataObject) -> None:
    call = CALLS[name]
    key = data.draw(st.sampled_from([key for key, document in call.documents.items() if document]))
    check(call, {**call.documents, key: change(data, call.documents[key])})


@pytest.mark.parametrize("name", CALLS)
@RUN
@given(
    status=st.integers(201, 599).filter(lambda status: status not in (401,)),
    errors=VALUES,
    message=VALUES,
    details=VALUES,
)
def test_an_error_response(name: str, status: int, errors: t.Any, message: t.Any, details: t.Any) -> None:
    document = {"errors": errors, "message": message, "details": details, "reason": message}
    check(CALLS[name], dict.fromkeys(CALLS[name].documents, document), status)


@pytest.mark.parametrize(("name", "status", "path", "value"), REGRESSIONS)
def test_a_change_that_once_was_an_error(name: str, status: int, path: tuple[t.Any, ...], value: t.Any) -> None:
    check(CALLS[name], replace(CALLS[name].documents, path, value), status)
