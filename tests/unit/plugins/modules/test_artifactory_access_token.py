# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json

import pytest
from scripted import ScriptedResponse, ScriptedTransport
from scripted_artifactory import BASE, CREDENTIALS, FORBIDDEN, methods

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import TransportError
from ansible_collections.cgr.pull_through.plugins.modules import artifactory_access_token as module

ALL = f"{BASE}/access/api/v1/tokens"
ID = "3b6f4d2e-5a0f-4c53-9a3e-4a5b7f0f8f51"
ABSENT = ScriptedResponse(404, {"errors": [{"code": "NOT_FOUND", "message": "Token not found"}]})
STORED = ScriptedResponse(
    200,
    {
        "token_id": ID,
        "subject": "jfac@01/users/ci",
        "expiry": 2,
        "issued_at": 1,
        "description": "CI",
        "refreshable": False,
    },
)


def jwt(**claims):
    """Return a token with these claims, and a signature that is not verified."""
    parts = ({"alg": "RS256"}, claims)
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "sig"]
    )


TOKEN = jwt(sub="jfac@01/users/ci", jti=ID)


def created(**more):
    return ScriptedResponse(200, {"token_id": ID, "access_token": TOKEN, "scope": "s", "token_type": "Bearer", **more})


def test_create_a_token_for_the_user(run_module):
    transport = ScriptedTransport(created(expires_in=3600))
    result = run_module(module, transport, **CREDENTIALS)
    assert transport.calls == [("POST", ALL)]
    assert transport.json_body(0) == {"scope": "applied-permissions/user", "expires_in": 3600, "refreshable": False}
    assert result["changed"] is True
    assert (result["access_token"], result["token_id"], result["expires_in"]) == (TOKEN, ID, 3600)
    assert result["username"] == "ci"
    assert TOKEN not in str({name: value for name, value in result.items() if name != "access_token"})


def test_create_a_token_for_another_user(run_module):
    transport = ScriptedTransport(created())
    options = {"username": "check", "groups": ["builds", "a team, or two"], "expires_in": 60, "description": "Check"}
    result = run_module(module, transport, **CREDENTIALS, **options)
    desired = {
        "username": "check",
        "description": "Check",
        "scope": 'applied-permissions/groups:builds,"a team, or two"',
        "expires_in": 60,
        "refreshable": False,
    }
    assert transport.json_body(0) == desired
    assert (result["username"], result["expires_in"]) == ("check", 60)
    assert result["diff"] == {"before": {}, "after": desired}


def test_each_run_creates_a_token(run_module):
    transport = ScriptedTransport(created(), created())
    assert all(run_module(module, transport, **CREDENTIALS)["changed"] for _run in range(2))
    assert methods(transport) == ["POST", "POST"]


def test_check_mode_sends_no_requests(run_module):
    transport = ScriptedTransport()
    result = run_module(module, transport, check=True, **CREDENTIALS, scope="artifact:cgr/**:r")
    assert not transport.requests
    assert (result["changed"], result["username"], result["expires_in"]) == (True, "", 3600)
    assert "access_token" not in result and "token_id" not in result
    real = run_module(module, ScriptedTransport(created()), **CREDENTIALS, scope="artifact:cgr/**:r")
    assert result["diff"] == real["diff"]


@pytest.mark.parametrize(
    "play",
    [
        ScriptedResponse(503, "busy"),
        ScriptedResponse(500, "oops"),
        TransportError("no response.", method="POST", url=ALL),
    ],
    ids=["busy", "error", "no-response"],
)
def test_a_creation_is_not_retried(run_module, play):
    transport = ScriptedTransport(play)
    result = run_module(module, transport, **CREDENTIALS)
    assert result["failed"] and f"POST {ALL}" in result["msg"]
    assert methods(transport) == ["POST"]


@pytest.mark.parametrize(
    ("token", "username"),
    [
        (jwt(sub="jfac@01/users/me@example.com"), "me@example.com"),
        (jwt(sub="jfac@01"), ""),
        (jwt(jti=ID), ""),
        ("opaque", ""),
        ("a.b.c", ""),
    ],
)
def test_username_from_the_token(run_module, token, username):
    result = run_module(module, ScriptedTransport(created(access_token=token)), **CREDENTIALS)
    assert (result["username"], result["access_token"]) == (username, token)


@pytest.mark.parametrize(
    ("play", "message"),
    [
        (FORBIDDEN, "Use the token of an administrator"),
        (ScriptedResponse(200, {"token_id": ID}), "the response contains no token"),
        (ScriptedResponse(200, "OK"), "the response contains no token"),
        (
            ScriptedResponse(400, {"code": "BAD", "message": "Bad", "detail": f"not {TOKEN}"}),
            "Bad: not (token removed)",
        ),
    ],
    ids=["forbidden", "no-token", "no-json", "details"],
)
def test_error_responses(run_module, play, message):
    result = run_module(module, ScriptedTransport(play), **CREDENTIALS, username="other")
    assert result["failed"] and message in result["msg"]
    assert "admin-token" not in str(result) and TOKEN not in str(result)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"expires_in": 0}, "expires_in is 0", id="no-end"),
        pytest.param({"groups": []}, "groups is empty", id="no-groups"),
        pytest.param({"groups": ["a", ""]}, "groups is empty, or contains", id="empty-group"),
        pytest.param({"groups": ['a"b']}, "has a double quote", id="quote"),
        pytest.param({"groups": ["x" * 600]}, "at most 500", id="long"),
        pytest.param({"groups": ["a"], "scope": "b"}, "mutually exclusive: scope|groups", id="both"),
        pytest.param({"state": "absent"}, "token_id", id="absent-of-what"),
        pytest.param({"state": "absent", "token_id": TOKEN}, "not the ID of a token", id="token-for-id"),
        pytest.param({"state": "absent", "token_id": "../users"}, "not the ID of a token", id="path-for-id"),
    ],
)
def test_invalid_options_send_no_requests(run_module, options, message):
    transport = ScriptedTransport()
    result = run_module(module, transport, **CREDENTIALS, **options)
    assert result["failed"] and message in result["msg"]
    assert not transport.requests
    assert TOKEN not in result["msg"]


def test_absent(run_module):
    options = {**CREDENTIALS, "state": "absent", "token_id": ID}
    transport = ScriptedTransport(STORED, ScriptedResponse(200, ""))
    result = run_module(module, transport, **options)
    assert transport.calls == [("GET", f"{ALL}/{ID}"), ("DELETE", f"{ALL}/{ID}")]
    before = {"token_id": ID, "subject": "jfac@01/users/ci", "description": "CI"}
    assert (result["changed"], result["diff"]) == (True, {"before": before, "after": {}})
    check = run_module(module, ScriptedTransport(STORED), check=True, **options)
    assert (check["changed"], check["diff"]) == (True, result["diff"])
    assert run_module(module, ScriptedTransport(ABSENT), **options)["changed"] is False


def test_a_login_that_the_access_api_rejects(run_module):
    rejected = ScriptedResponse(401, {"errors": [{"code": "UNAUTHORIZED", "message": "HTTP 401 Unauthorized"}]})
    result = run_module(module, ScriptedTransport(rejected), **CREDENTIALS)
    assert "The Access API, which manages access tokens, can reject a login" in result["msg"]
