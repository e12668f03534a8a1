# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import ssl

import pytest
import requests
from scripted import ScriptedAnswer, ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.module_utils import _http
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import ArtifactoryService
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    HTTPStatusError,
    InputError,
    TransportError,
)

BASE = "https://artifactory.example.com"
OK = ScriptedAnswer(200, {"ok": True})
BUSY = ScriptedAnswer(503, "busy")


def session(*plays, pauses=None):
    transport = ScriptedTransport(*plays)
    sleep = (pauses if pauses is not None else []).append
    api = _http.ApiSession(
        BASE, ArtifactoryService(), transport=transport, authorization=lambda: "Bearer secret-token", sleep=sleep
    )
    return api, transport


def lost():
    return TransportError("cut.", method="GET", url=BASE)


def test_credentials_go_into_the_header_and_nowhere_else():
    api, transport = session(ScriptedAnswer(401, {"errors": [{"status": 401, "message": "Bad Credentials"}]}))
    with pytest.raises(HTTPStatusError) as caught:
        api.call("GET", "/x", query={"a": "b"})
    assert transport.requests[0].headers["Authorization"] == "Bearer secret-token"
    assert "secret-token" not in repr(transport.requests[0]) + str(caught.value) + str(caught.value.details())


def test_an_error_names_request_status_words_and_what_to_do():
    api, _transport = session(ScriptedAnswer(401, {"errors": [{"status": 401, "message": "Bad Credentials"}]}))
    with pytest.raises(HTTPStatusError) as caught:
        api.call("GET", "/x")
    text = str(caught.value)
    assert text.startswith(f"GET {BASE}/x: status 401, the service said: Bad Credentials.")
    assert "artifactory_access_token" in text
    assert caught.value.details()["status"] == 401


def test_a_token_that_a_service_echoes_is_not_shown():
    api, _transport = session(ScriptedAnswer(400, "bad token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0xx.c2lnbmF0dXJl"))
    with pytest.raises(HTTPStatusError) as caught:
        api.call("GET", "/x")
    assert "eyJ" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "idempotent", "plays", "sent"),
    [
        pytest.param("GET", None, [BUSY, OK], 2, id="read-after-503"),
        pytest.param("GET", None, [lost(), OK], 2, id="read-after-lost-answer"),
        pytest.param("DELETE", None, [BUSY, OK], 2, id="delete"),
        pytest.param("POST", True, [lost(), OK], 2, id="idempotent-write"),
        pytest.param("POST", None, [ScriptedAnswer(429, ""), OK], 2, id="429-did-nothing"),
        pytest.param(
            "POST", None, [ScriptedAnswer(500, "Could not merge and save new descriptor"), OK], 2, id="descriptor"
        ),
    ],
)
def test_what_is_safe_is_sent_again(method, idempotent, plays, sent):
    api, transport = session(*plays)
    assert api.call(method, "/x", idempotent=idempotent) == {"ok": True}
    assert len(transport.requests) == sent


@pytest.mark.parametrize(
    ("method", "play", "error"),
    [
        pytest.param("POST", lost(), TransportError, id="creation-without-answer"),
        pytest.param("PUT", BUSY, HTTPStatusError, id="creation-after-503"),
        pytest.param("GET", ScriptedAnswer(404, ""), HTTPStatusError, id="404"),
        pytest.param("GET", ScriptedAnswer(500, ""), HTTPStatusError, id="500"),
    ],
)
def test_what_is_not_safe_is_sent_once(method, play, error):
    api, transport = session(play)
    with pytest.raises(error):
        api.call(method, "/x")
    assert len(transport.requests) == 1


@pytest.mark.parametrize(
    ("play", "exists", "looked", "error"),
    [
        pytest.param(OK, False, False, None, id="done"),
        pytest.param(lost(), True, True, None, id="done-without-an-answer"),
        pytest.param(BUSY, True, True, None, id="done-and-busy"),
        pytest.param(lost(), False, True, TransportError, id="not-done"),
        pytest.param(ScriptedAnswer(409, ""), True, False, HTTPStatusError, id="refused"),
    ],
)
def test_a_creation_is_sent_once_and_looked_for_when_that_is_open(play, exists, looked, error):
    api, transport = session(play)
    looks = []
    with pytest.raises(error) if error else contextlib.nullcontext():
        api.create("POST", "/x", {"a": 1}, exists=lambda: bool(looks.append(1)) or exists)
    assert (transport.asked, bool(looks)) == ([("POST", f"{BASE}/x")], looked)


def test_a_failure_that_does_not_pass_is_not_tried_again():
    api, transport = session(TransportError("no such name.", method="GET", url=BASE, transient=False))
    with pytest.raises(TransportError):
        api.call("GET", "/x")
    assert len(transport.requests) == 1


def test_gives_up_after_the_last_try():
    pauses = []
    api, transport = session(*[BUSY] * 4, pauses=pauses)
    with pytest.raises(HTTPStatusError):
        api.call("GET", "/x")
    assert (len(transport.requests), len(pauses)) == (4, 3)


def test_waits_as_long_as_the_server_asks_but_not_for_ever():
    pauses = []
    api, _transport = session(
        ScriptedAnswer(429, "", {"Retry-After": "7"}),
        ScriptedAnswer(429, "", {"Retry-After": "7200"}),
        OK,
        pauses=pauses,
    )
    api.call("GET", "/x")
    assert pauses == [7.0, 60.0]


def test_a_redirect_is_an_error_that_tells_the_target():
    api, transport = session(ScriptedAnswer(301, "", {"Location": "https://other.example.com/x?signature=1"}))
    with pytest.raises(HTTPStatusError) as caught:
        api.call("POST", "/x")
    assert "https://other.example.com/x" in str(caught.value) and "signature" not in str(caught.value)
    assert len(transport.requests) == 1


@pytest.mark.parametrize("status", [200, 404])
def test_html_is_no_answer(status):
    api, _transport = session(ScriptedAnswer(status, "<html>login</html>", {"Content-Type": "text/html"}))
    with pytest.raises(HTTPStatusError, match="an HTML page"):
        api.call("GET", "/x")


def test_a_web_server_that_demands_a_client_certificate_is_told():
    page = "<html><head><title>400 No required SSL certificate was sent</title></head></html>"
    api, _transport = session(ScriptedAnswer(400, page, {"Content-Type": "text/html"}))
    with pytest.raises(HTTPStatusError, match="No required SSL certificate was sent.*Set client_cert"):
        api.call("GET", "/x")


def test_a_read_that_is_not_json_is_no_answer():
    api, _transport = session(ScriptedAnswer(200, "OK"), ScriptedAnswer(200, "Repository x update successfully."))
    with pytest.raises(HTTPStatusError, match="not JSON"):
        api.call("GET", "/x")
    assert api.call("POST", "/x", body={}) is None


def test_absent_is_a_value():
    api, _transport = session(ScriptedAnswer(404, ""))
    assert api.call("GET", "/x", absent_ok=True) is None


def test_the_service_tells_the_time():
    api, _transport = session(ScriptedAnswer(200, {}, {"Date": "Wed, 01 Jan 2031 00:00:00 GMT"}))
    api.call("GET", "/x")
    assert abs(api.now() - 1924992000) < 5


@pytest.mark.parametrize(
    "url", ["artifactory.example.com", "ftp://x", "https://", "https://user:pw@x", "https://x/?a=b", "https://x:port"]
)
def test_base_urls_that_are_refused(url):
    with pytest.raises(InputError) as caught:
        _http.validate_base_url(url, "artifactory_url")
    assert "artifactory_url" in str(caught.value) and "pw" not in str(caught.value)


def test_base_url_loses_its_slash():
    assert _http.validate_base_url("https://x:8443/", "url") == "https://x:8443"


REQUEST = _http.Request("GET", "https://user:pw@h.example.com:1/x?signature=1")


@pytest.mark.parametrize(
    ("error", "words", "transient"),
    [
        (requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED"), "not trusted", False),
        (requests.exceptions.SSLError(ssl.SSLError("WRONG_VERSION_NUMBER")), "no TLS connection", False),
        (requests.exceptions.ReadTimeout("x"), "in time", True),
        (requests.exceptions.ConnectionError("Name or service not known"), "cannot be resolved", False),
        (requests.exceptions.ConnectionError("Connection refused"), "refuses the connection", True),
        (requests.exceptions.ConnectionError("Connection aborted"), "cut the connection", True),
        (OSError("Could not find a suitable TLS CA certificate bundle, invalid path"), "ca_path cannot be read", False),
        (requests.exceptions.RequestException("x"), "no answer from", True),
    ],
)
def test_each_failure_has_plain_words(monkeypatch, error, words, transient):
    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(requests.Session, "request", fail)
    with pytest.raises(TransportError, match=words) as caught:
        _http.RequestsTransport().send(REQUEST)
    assert caught.value.transient is transient
    assert "pw" not in str(caught.value) and "signature" not in str(caught.value)
    assert "h.example.com:1" in str(caught.value)
