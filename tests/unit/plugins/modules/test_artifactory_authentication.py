# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The URL and the credentials of Artifactory, in the forms in which users write them, and how their rejection is explained."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from scripted import ScriptedResponse, ScriptedTransport
from scripted_artifactory import ABSENT, BASE, CREDENTIALS, LICENSE, Artifactory, methods, remote_config

from ansible_collections.cgr.pull_through.plugins.modules import (
    artifactory_remote_repository,
    artifactory_repository_info,
    artifactory_virtual_repository,
)

EMPTY = ScriptedResponse(200, {})
USER = {"artifactory_url": BASE, "artifactory_username": "ci", "artifactory_password": "hunter2"}


def jwt(username):
    claims = base64.urlsafe_b64encode(json.dumps({"sub": f"jfrt@1/users/{username}"}).encode()).decode().rstrip("=")
    return f"eyJ2ZXIiOiIyIn0.{claims}.signature"


def envelope(status, message):
    return ScriptedResponse(status, {"errors": [{"status": status, "message": message}]})


@pytest.mark.parametrize(
    "url",
    [
        BASE,
        f"{BASE}/",
        f" {BASE}//\n",
        f"{BASE}/artifactory",
        f"{BASE}/artifactory/",
        f"{BASE}/artifactory/webapp/#/home",
        f"{BASE}/artifactory/api/repositories",
        f"{BASE}/ui",
        f"{BASE}/ui/admin/repositories/remote?projectKey=all",
        f"{BASE}/ui/native/artifactory/x/",
        f"{BASE}?token=x",
        f"{BASE}/#top",
    ],
)
def test_urls_from_a_browser(run_module, url):
    transport = ScriptedTransport(EMPTY)
    assert (
        run_module(artifactory_repository_info, transport, **{**CREDENTIALS, "artifactory_url": url})["changed"]
        is False
    )
    assert transport.calls == [("GET", f"{BASE}/artifactory/api/repositories/configurations")]


@pytest.mark.parametrize(
    ("url", "base"),
    [
        (f"{BASE}/jfrog/artifactory/", f"{BASE}/jfrog"),
        (f"{BASE}/jfrog/ui/packages", f"{BASE}/jfrog"),
        (f"{BASE}/artifactory/artifactory", f"{BASE}/artifactory"),
        ("http://127.0.0.1:8082/ui/", "http://127.0.0.1:8082"),
    ],
)
def test_urls_with_a_path_before_it_or_a_port(run_module, url, base):
    transport = ScriptedTransport(EMPTY)
    run_module(artifactory_repository_info, transport, **{**CREDENTIALS, "artifactory_url": url})
    assert transport.calls == [("GET", f"{base}/artifactory/api/repositories/configurations")]


@pytest.mark.parametrize("url", ["artifactory.example.com", "https://u:p@artifactory.example.com/ui/", "https://[x"])
def test_urls_that_are_not_accepted(run_module, url):
    transport = ScriptedTransport()
    result = run_module(artifactory_repository_info, transport, **{**CREDENTIALS, "artifactory_url": url})
    assert result["failed"] and "artifactory_url" in result["msg"] and "u:p" not in result["msg"]
    assert transport.requests == []


@pytest.mark.parametrize(
    ("location", "message"),
    [
        pytest.param("https://new.example.com{path}", "Set artifactory_url to https://new.example.com.", id="host"),
        pytest.param("http://artifactory.example.com{path}", "to http://artifactory.example.com.", id="scheme"),
        pytest.param("https://new.example.com/jfrog{path}", "to https://new.example.com/jfrog.", id="path"),
        pytest.param("https://sso.example.com/login/?x=y", "Check artifactory_url.", id="login-page"),
        pytest.param("/ui/login", "Check artifactory_url.", id="relative"),
    ],
)
def test_a_redirect_is_an_error_before_the_first_write(run_module, location, message):
    path = "/artifactory/api/repositories/a"
    transport = ScriptedTransport(ScriptedResponse(302, "", {"Location": location.format(path=path)}))
    options = {**CREDENTIALS, "key": "a", "url": "https://cgr.dev/"}
    result = run_module(artifactory_remote_repository, transport, **options)
    assert result["failed"] and message in result["msg"]
    assert methods(transport) == ["GET"]


@pytest.mark.parametrize(
    ("options", "response", "hint"),
    [
        pytest.param(
            CREDENTIALS, "Token failed verification: expired", "artifactory_access_token has expired", id="expired"
        ),
        pytest.param(
            CREDENTIALS, "Token failed verification: revoked", "artifactory_access_token was revoked", id="revoked"
        ),
        pytest.param(
            CREDENTIALS, "Props Authentication Token not found", "does not know artifactory_access_token", id="unknown"
        ),
        pytest.param(CREDENTIALS, "Unauthorized", "rejected artifactory_access_token", id="token"),
        pytest.param(CREDENTIALS, "Authentication is required", "proxy removes the Authorization header", id="none"),
        pytest.param(USER, "Bad Credentials", "password is wrong, or the user is locked", id="password"),
        pytest.param(
            {**USER, "artifactory_password": jwt("alice")},
            "Bad Credentials",
            "is a token of the user 'alice', but artifactory_username is 'ci'",
            id="token-of-another-user",
        ),
        pytest.param(
            {**USER, "artifactory_password": jwt("ci")},
            "Token failed verification: expired",
            "artifactory_password has expired",
            id="own-token",
        ),
        pytest.param({**USER, "artifactory_password": "AKCp8abc"}, "Bad Credentials", "is an API key", id="api-key"),
        pytest.param({**USER, "artifactory_password": "word "}, "Bad Credentials", "ends with white space", id="space"),
    ],
)
def test_why_credentials_are_rejected(run_module, options, response, hint):
    result = run_module(artifactory_repository_info, ScriptedTransport(envelope(401, response)), **options)
    assert result["failed"] and hint in result["error"]["hint"]
    assert options.get("artifactory_password", "admin-token") not in str(result)


@pytest.mark.parametrize(
    ("response", "hint"),
    [
        pytest.param(envelope(403, "Forbidden"), "administrator of their project", id="permission"),
        pytest.param(envelope(403, "Your subscription has ended"), "the requests of all users", id="subscription"),
        pytest.param(envelope(403, "The trial period is over"), "the requests of all users", id="trial"),
        pytest.param(envelope(403, "Instance is hibernated"), "the requests of all users", id="hibernated"),
        pytest.param(envelope(403, "Account suspended"), "the requests of all users", id="suspended"),
        pytest.param(envelope(402, "Payment required"), "the requests of all users", id="payment"),
        pytest.param(envelope(403, "This server was deactivated"), "the requests of all users", id="deactivated"),
        pytest.param(ScriptedResponse(402, "Storage quota exceeded"), "the requests of all users", id="quota"),
    ],
)
def test_why_a_request_is_forbidden(run_module, response, hint):
    result = run_module(artifactory_repository_info, ScriptedTransport(response), **CREDENTIALS)
    assert result["failed"] and hint in result["error"]["hint"]


def test_an_api_key_is_no_access_token(run_module):
    transport = ScriptedTransport()
    options = {"artifactory_url": BASE, "artifactory_access_token": "AKCp8secretsecret"}
    result = run_module(artifactory_repository_info, transport, **options)
    assert result["failed"] and "artifactory_access_token is an API key" in result["msg"]
    assert transport.requests == [] and "AKCp8secretsecret" not in str(result)


REFERENCE_TOKEN = base64.b64encode(b"reftkn:01:1789000000:" + 27 * b"x").decode()


def test_a_reference_token_is_sent_as_it_is(run_module):
    assert len(REFERENCE_TOKEN) == 64
    transport = ScriptedTransport(EMPTY)
    run_module(artifactory_repository_info, transport, **{**CREDENTIALS, "artifactory_access_token": REFERENCE_TOKEN})
    assert transport.requests[0].headers["Authorization"] == f"Bearer {REFERENCE_TOKEN}"


@pytest.mark.parametrize("token", ["admin-token\n", " admin-token", "admin-token\r\n\t"])
def test_white_space_at_the_ends_of_a_token_is_not_sent(run_module, token):
    transport = ScriptedTransport(EMPTY)
    result = run_module(artifactory_repository_info, transport, **{**CREDENTIALS, "artifactory_access_token": token})
    assert transport.requests[0].headers["Authorization"] == "Bearer admin-token"
    assert result["warnings"] == ["artifactory_access_token begins or ends with white space, which is not sent."]


def test_white_space_in_a_token_is_an_error(run_module):
    transport = ScriptedTransport()
    options = {**CREDENTIALS, "artifactory_access_token": "first-secret\nsecond-secret"}
    result = run_module(artifactory_repository_info, transport, **options)
    assert result["failed"] and "artifactory_access_token contains white space" in result["msg"]
    assert transport.requests == [] and "first-secret" not in str(result)


def test_line_breaks_at_the_ends_of_user_name_and_password_are_not_sent(run_module):
    transport = ScriptedTransport(EMPTY)
    options = {**USER, "artifactory_username": "ci@example.com\n", "artifactory_password": " pass word \r\n"}
    result = run_module(artifactory_repository_info, transport, **options)
    expected = base64.b64encode(b"ci@example.com: pass word ").decode()
    assert transport.requests[0].headers["Authorization"] == f"Basic {expected}"
    assert len(result["warnings"]) == 2


@pytest.mark.parametrize("is_list", [False, True], ids=["single", "list"])
def test_line_breaks_at_the_ends_of_the_password_of_a_repository_are_not_stored(run_module, is_list):
    artifactory = Artifactory()
    item = {"key": "a", "url": "https://cgr.dev/", "username": "org/id\n", "password": "pull-token-password\n"}
    options = {**CREDENTIALS, "repositories": [item]} if is_list else {**CREDENTIALS, **item}
    result = run_module(artifactory_remote_repository, artifactory.transport, **options)
    assert artifactory.repositories["a"]["password"] == "pull-token-password"
    assert artifactory.repositories["a"]["username"] == "org/id"
    assert "pull-token-password" not in str({**result, "invocation": ""})


def test_a_conflict_of_two_writes_is_retried(run_module):
    conflict = envelope(500, "Could not update configuration")
    created = ScriptedResponse(200, remote_config("a"))
    transport = ScriptedTransport(ABSENT, LICENSE, conflict, ScriptedResponse(200, ""), created)
    result = run_module(artifactory_remote_repository, transport, **CREDENTIALS, key="a", url="https://cgr.dev/")
    assert result["changed"] is True
    assert methods(transport) == ["GET", "GET", "PUT", "PUT", "GET"]


# Alone, and several in one request. Their first write conflicts with that of another client, or of another node.
WRITES: dict[str, tuple[t.Any, dict[str, t.Any]]] = {
    "virtual": (artifactory_virtual_repository, {"key": "all", "package_type": "docker", "repositories": ["a"]}),
    "update": (artifactory_remote_repository, {"key": "a", "url": "https://example.com/"}),
    "create-several": (
        artifactory_remote_repository,
        {"repositories": [{"key": key, "url": "https://cgr.dev/"} for key in "cde"]},
    ),
    "update-several": (
        artifactory_remote_repository,
        {"repositories": [{"key": key, "url": "https://example.com/"} for key in "ab"]},
    ),
    "delete": (artifactory_remote_repository, {"key": "a", "state": "absent"}),
}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("message", ["Could not update configuration", "Could not merge and save new descriptor [x]"])
def test_a_conflict_of_each_kind_of_write_is_retried(run_module, name, message):
    artifactory, conflicts = Artifactory(remote_config("a"), remote_config("b")), [envelope(500, message)]

    def respond(request):
        return conflicts.pop() if conflicts and request.method != "GET" else artifactory.respond(request)

    module, options = WRITES[name]
    transport = ScriptedTransport(respond=respond)
    result = run_module(module, transport, **{**CREDENTIALS, **options})
    assert result.get("changed") is True, result
    writes = [call for call in transport.calls if call[0] != "GET"]
    assert len(writes) == 2 and writes[0] == writes[1]
