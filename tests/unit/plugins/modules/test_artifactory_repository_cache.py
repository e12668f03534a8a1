# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from scripted import ScriptedResponse, ScriptedTransport
from scripted_artifactory import BASE, CREDENTIALS, FORBIDDEN

from ansible_collections.cgr.pull_through.plugins.modules import artifactory_repository_cache

CACHE = {**CREDENTIALS, "key": "cgr-private"}


def test_expire(run_module):
    transport = ScriptedTransport(ScriptedResponse(200, "done"), ScriptedResponse(200, "done"))
    assert run_module(artifactory_repository_cache, transport, **CACHE, state="expired")["paths"] == [""]
    run_module(artifactory_repository_cache, transport, **CACHE, state="expired", paths=["/example.com/nginx/"])
    assert transport.calls == [
        ("POST", f"{BASE}/artifactory/api/zap/cgr-private-cache/"),
        ("POST", f"{BASE}/artifactory/api/zap/cgr-private-cache/example.com/nginx"),
    ]


def test_delete_paths(run_module):
    plays = [ScriptedResponse(200, {}), ScriptedResponse(404, ""), ScriptedResponse(204, "")]
    transport = ScriptedTransport(*plays)
    result = run_module(artifactory_repository_cache, transport, **CACHE, state="absent", paths=["a", "b"])
    assert (result["changed"], result["paths"]) == (True, ["a"])
    assert transport.calls[2] == ("DELETE", f"{BASE}/artifactory/cgr-private-cache/a")
    check = ScriptedTransport(*plays[:2])
    again = run_module(artifactory_repository_cache, check, check=True, **CACHE, state="absent", paths=["a", "b"])
    assert (again["changed"], again["paths"]) == (True, ["a"])


def test_delete_the_entire_cache(run_module):
    children = {"children": [{"uri": "/com", "folder": True}, {"uri": "/robots.txt", "folder": False}]}
    plays = [ScriptedResponse(200, body) for body in (children, {}, {}, "", "")]
    transport = ScriptedTransport(*plays)
    result = run_module(artifactory_repository_cache, transport, **CACHE, state="absent", entire_cache=True)
    assert (result["changed"], result["paths"]) == (True, ["com", "robots.txt"])
    assert transport.calls[0] == ("GET", f"{BASE}/artifactory/api/storage/cgr-private-cache/")
    assert transport.calls[-1] == ("DELETE", f"{BASE}/artifactory/cgr-private-cache/robots.txt")
    empty = ScriptedTransport(ScriptedResponse(404, ""))
    assert (
        run_module(artifactory_repository_cache, empty, **CACHE, state="absent", entire_cache=True)["changed"] is False
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"state": "expired", "entire_cache": True}, "state=absent"),
        ({"state": "absent"}, "paths"),
        ({"state": "absent", "paths": ["a"], "entire_cache": True}, "mutually exclusive"),
    ],
)
def test_invalid_options(run_module, options, message):
    result = run_module(artifactory_repository_cache, ScriptedTransport(), **CACHE, **options)
    assert result["failed"] and message in result["msg"]


def test_expire_in_check_mode(run_module):
    assert run_module(artifactory_repository_cache, ScriptedTransport(), check=True, **CACHE, state="expired")[
        "changed"
    ]


def test_an_empty_path_is_an_error(run_module):
    result = run_module(artifactory_repository_cache, ScriptedTransport(), **CACHE, state="absent", paths=["/"])
    assert result["failed"] and "entire cache" in result["msg"]


REPOSITORIES = [
    {"key": "a", "state": "expired"},
    {"key": "b", "state": "absent", "paths": ["x", "y"]},
    {"key": "c", "state": "absent", "entire_cache": True},
]


class Caches:
    """The caches of remote repositories. denied: keys whose cache may not be changed."""

    def __init__(self, denied=()):
        self.denied = denied
        self.transport = ScriptedTransport(respond=self.respond)

    def respond(self, request):
        if request.method != "GET":
            is_denied = any(f"/{key}-cache/" in request.url for key in self.denied)
            return FORBIDDEN if is_denied else ScriptedResponse(200, "done")
        if request.url.endswith("/c-cache/"):
            return ScriptedResponse(200, {"children": [{"uri": "/com", "folder": True}]})
        return ScriptedResponse(404, "") if request.url.endswith("/y") else ScriptedResponse(200, {})

    @property
    def writes(self):
        return sorted(
            (method, url.removeprefix(f"{BASE}/artifactory")) for method, url in self.transport.calls if method != "GET"
        )


def test_a_list(run_module):
    predicted = Caches()
    check = run_module(
        artifactory_repository_cache, predicted.transport, check=True, **CREDENTIALS, repositories=REPOSITORIES
    )
    caches = Caches()
    result = run_module(artifactory_repository_cache, caches.transport, **CREDENTIALS, repositories=REPOSITORIES)
    assert [(item["key"], item["failed"], item["changed"], item["paths"]) for item in result["repositories"]] == [
        ("a", False, True, [""]),
        ("b", False, True, ["x"]),
        ("c", False, True, ["com"]),
    ]
    assert caches.writes == [("DELETE", "/b-cache/x"), ("DELETE", "/c-cache/com"), ("POST", "/api/zap/a-cache/")]
    assert [diff["before_header"] for diff in result["diff"]] == ["a", "b", "c"]
    assert predicted.writes == []
    assert (check["repositories"], check["diff"]) == (result["repositories"], result["diff"])


def test_a_failed_item_does_not_stop_the_others(run_module):
    caches = Caches(denied=["a"])
    result = run_module(artifactory_repository_cache, caches.transport, **CREDENTIALS, repositories=REPOSITORIES)
    assert result["failed"] is True and result["changed"] is True
    assert result["msg"].startswith("a: POST ") and "\n" not in result["msg"]
    assert [item["failed"] for item in result["repositories"]] == [True, False, False]
    assert result["repositories"][0]["error"]["status"] == 403
    assert ("DELETE", "/c-cache/com") in caches.writes


@pytest.mark.parametrize(
    ("repositories", "message"),
    [
        ([{"key": "a", "state": "expired"}] * 2, "a is in the list more than once"),
        ([{"key": "a", "state": "absent"}], "state=absent needs paths"),
        ([{"key": "a"}], "missing required arguments: state found in repositories"),
        ([{"key": "a", "state": "absent", "paths": ["x"], "entire_cache": True}], "paths|entire_cache"),
    ],
)
def test_an_invalid_item_sends_no_requests(run_module, repositories, message):
    transport = ScriptedTransport()
    result = run_module(artifactory_repository_cache, transport, **CREDENTIALS, repositories=repositories)
    assert result["failed"] and message in result["msg"]
    assert transport.requests == []


@pytest.mark.parametrize(("options", "message"), [(CREDENTIALS, "key, repositories"), (CACHE, "state")])
def test_key_and_state_are_required(run_module, options, message):
    assert message in run_module(artifactory_repository_cache, ScriptedTransport(), **options)["msg"]
