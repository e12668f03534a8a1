# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib

import pytest
from scripted import ScriptedResponse, ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._server import ArtifactoryService
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import HTTPStatusError, TransportError
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession, EncodedBody, is_not_found

BASE = "https://artifactory.example.com"
OK = ScriptedResponse(200, {"ok": True})
UNAVAILABLE = ScriptedResponse(503, "unavailable")


def session(*plays, delays=None):
    transport = ScriptedTransport(*plays)
    sleep = (delays if delays is not None else []).append
    api = ApiSession(
        BASE, ArtifactoryService(), transport=transport, authorization=lambda: "Bearer secret-token", sleep=sleep
    )
    return api, transport


def no_response():
    return TransportError("closed.", method="GET", url=BASE)


def test_credentials_are_in_the_header_only():
    api, transport = session(ScriptedResponse(401, {"errors": [{"status": 401, "message": "Bad Credentials"}]}))
    with pytest.raises(HTTPStatusError) as caught:
        api.call("GET", "/x", query={"a": "b"})
    assert transport.requests[0].headers["Authorization"] == "Bearer secret-token"
    assert "secret-token" not in repr(transport.requests[0]) + str(caught.value) + str(caught.value.details())


def test_an_error_has_the_request_the_status_the_message_and_a_hint():
    api, _transport = session(ScriptedResponse(401, {"errors": [{"status": 401, "message": "Bad Credentials"}]}))
    with pytest.raises(HTTPStatusError) as caught:
        api.call("GET", "/x")
    error = caught.value
    assert str(error).startswith(f"GET {BASE}/x: status 401: Bad Credentials.")
    assert "artifactory_access_token" in error.hint
    assert error.details() == {
        "message": error.message,
        "hint": error.hint,
        "method": "GET",
        "url": f"{BASE}/x",
        "status": 401,
        "response_message": "Bad Credentials",
    }


def test_an_error_response_without_a_body():
    api, _transport = session(ScriptedResponse(418, ""))
    with pytest.raises(HTTPStatusError, match="/x: status 418 without a message.$"):
        api.call("GET", "/x")


def test_a_token_that_a_service_echoes_is_redacted():
    api, _transport = session(ScriptedResponse(400, "bad token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0xx.c2lnbmF0dXJl"))
    with pytest.raises(HTTPStatusError) as caught:
        api.call("GET", "/x")
    assert "eyJ" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "content_type", "content"),
    [
        pytest.param(None, None, None, id="none"),
        pytest.param({"a": [1]}, "application/json", b'{"a": [1]}', id="json"),
        pytest.param([], "application/json", b"[]", id="empty-list"),
        pytest.param(EncodedBody.form({"a": "b c"}), "application/x-www-form-urlencoded", b"a=b+c", id="form"),
        pytest.param(EncodedBody.text("items.find()"), "text/plain", b"items.find()", id="text"),
    ],
)
def test_each_kind_of_body_has_its_content_type(body, content_type, content):
    api, transport = session(OK)
    api.call("POST", "/x", body=body)
    request = transport.requests[0]
    assert (request.headers.get("Content-Type"), request.body) == (content_type, content)


@pytest.mark.parametrize(
    ("method", "idempotent", "play"),
    [
        pytest.param("GET", None, UNAVAILABLE, id="read-after-503"),
        pytest.param("GET", None, ScriptedResponse(408, ""), id="read-after-408"),
        pytest.param("GET", None, no_response(), id="read-without-a-response"),
        pytest.param("DELETE", None, UNAVAILABLE, id="delete"),
        pytest.param("POST", True, no_response(), id="idempotent-write"),
        pytest.param("POST", None, ScriptedResponse(429, ""), id="unprocessed-429"),
        pytest.param(
            "POST", None, ScriptedResponse(500, "Could not merge and save new descriptor"), id="unprocessed-descriptor"
        ),
    ],
)
def test_a_request_that_is_safe_to_repeat_is_retried(method, idempotent, play):
    api, transport = session(play, OK)
    assert api.call(method, "/x", idempotent=idempotent) == {"ok": True}
    assert len(transport.requests) == 2


@pytest.mark.parametrize(
    ("method", "play", "error"),
    [
        pytest.param("POST", no_response(), TransportError, id="creation-without-a-response"),
        pytest.param("PUT", UNAVAILABLE, HTTPStatusError, id="creation-after-503"),
        pytest.param("GET", ScriptedResponse(404, ""), HTTPStatusError, id="404"),
        pytest.param("GET", ScriptedResponse(500, ""), HTTPStatusError, id="500"),
        pytest.param(
            "GET",
            TransportError("no such name.", method="GET", url=BASE, transient=False),
            TransportError,
            id="permanent-connection-failure",
        ),
    ],
)
def test_a_request_that_is_not_safe_to_repeat_is_sent_once(method, play, error):
    api, transport = session(play)
    with pytest.raises(error):
        api.call(method, "/x")
    assert len(transport.requests) == 1


@pytest.mark.parametrize(
    ("play", "exists", "checked", "error"),
    [
        pytest.param(OK, False, False, None, id="created"),
        pytest.param(no_response(), True, True, None, id="created-without-a-response"),
        pytest.param(UNAVAILABLE, True, True, None, id="created-with-503"),
        pytest.param(no_response(), False, True, TransportError, id="not-created"),
        pytest.param(ScriptedResponse(409, ""), True, False, HTTPStatusError, id="rejected"),
    ],
)
def test_a_creation_is_sent_once_and_checked_when_its_effect_is_unknown(play, exists, checked, error):
    api, transport = session(play)
    checks = []

    def check_exists():
        checks.append(1)
        return exists

    with pytest.raises(error) if error else contextlib.nullcontext():
        api.create("POST", "/x", {"a": 1}, exists=check_exists)
    assert (transport.calls, bool(checks)) == ([("POST", f"{BASE}/x")], checked)


def test_an_api_request_is_sent_at_most_four_times():
    delays = []
    api, transport = session(*[UNAVAILABLE] * 4, delays=delays)
    with pytest.raises(HTTPStatusError):
        api.call("GET", "/x")
    assert (len(transport.requests), len(delays)) == (4, 3)


def test_retry_after_is_respected_up_to_a_minute():
    delays = []
    api, transport = session(
        ScriptedResponse(429, "", {"Retry-After": "7"}),
        ScriptedResponse(429, "", {"Retry-After": "7200"}),
        delays=delays,
    )
    with pytest.raises(HTTPStatusError, match="asks to wait for 7200 seconds"):
        api.call("GET", "/x")
    assert delays == [7.0] and len(transport.requests) == 2


def test_a_redirect_is_an_error_with_its_target():
    api, transport = session(ScriptedResponse(301, "", {"Location": "https://other.example.com/x?signature=1"}))
    with pytest.raises(HTTPStatusError) as caught:
        api.call("POST", "/x")
    assert "https://other.example.com/x" in str(caught.value) and "signature" not in str(caught.value)
    assert len(transport.requests) == 1


@pytest.mark.parametrize("status", [200, 404])
def test_an_html_page_is_an_error(status):
    api, _transport = session(ScriptedResponse(status, "<html>login</html>", {"Content-Type": "text/html"}))
    with pytest.raises(HTTPStatusError, match="an HTML page"):
        api.call("GET", "/x")


def test_an_html_page_that_requires_a_client_certificate_has_a_hint():
    page = "<html><head><title>400 No required SSL certificate was sent</title></head></html>"
    api, _transport = session(ScriptedResponse(400, page, {"Content-Type": "text/html"}))
    with pytest.raises(HTTPStatusError, match="No required SSL certificate was sent.*Set client_cert"):
        api.call("GET", "/x")


@pytest.mark.parametrize(
    ("method", "body"), [("GET", None), ("POST", EncodedBody.form({})), ("POST", EncodedBody.text(""))]
)
def test_a_response_to_a_read_that_is_not_json_is_an_error(method, body):
    api, _transport = session(ScriptedResponse(200, "OK"))
    with pytest.raises(HTTPStatusError, match="not JSON"):
        api.call(method, "/x", body=body)


def test_a_write_may_return_plain_text():
    api, _transport = session(ScriptedResponse(200, "Repository x update successfully."))
    assert api.call("POST", "/x", body={}) is None


def test_an_absent_object_is_none():
    api, _transport = session(ScriptedResponse(404, ""))
    assert api.call("GET", "/x", absent=is_not_found) is None


def test_the_server_time_is_that_of_the_last_response():
    api, _transport = session(ScriptedResponse(200, {}, {"Date": "Wed, 01 Jan 2031 00:00:00 GMT"}))
    api.call("GET", "/x")
    assert abs(api.server_time() - 1924992000) < 5
