# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from scripted import ScriptedResponse, ScriptedTransport
from scripted_artifactory import ABSENT, BASE, FORBIDDEN, LICENSE, LOGIN, PRO_ONLY, methods

from ansible_collections.cgr.pull_through.plugins.modules import (
    artifactory_remote_repository,
    artifactory_repository_cache,
    artifactory_repository_info,
)

ONE = f"{BASE}/artifactory/api/repositories/cgr-private"
WANTED = {
    **LOGIN,
    "key": "cgr-private",
    "url": "https://cgr.dev/",
    "username": "org/new",
    "password": "pull-token-password",
    "settings": {"enableTokenAuthentication": True},
}
STORED = {
    "key": "cgr-private",
    "rclass": "remote",
    "packageType": "docker",
    "url": "https://cgr.dev/",
    "username": "org/new",
    "password": "AM.cipher",
    "description": "Ours (local file cache)",
    "enableTokenAuthentication": True,
    "offline": False,
    "includesPattern": "**/*",
    "contentSynchronisation": {"enabled": False, "statistics": {"enabled": True}},
}
WRITTEN = ScriptedResponse(200, "Successfully created repository 'cgr-private' \n")


def stored(**changes):
    return ScriptedResponse(200, {**STORED, **changes})


def test_creates_what_is_missing_and_reads_it_back(run_module):
    transport = ScriptedTransport(ABSENT, LICENSE, WRITTEN, stored())
    result = run_module(artifactory_remote_repository, transport, **WANTED)
    assert result["changed"] is True
    assert transport.calls[2] == ("PUT", ONE)
    assert transport.json_body(2) == {
        "key": "cgr-private",
        "rclass": "remote",
        "packageType": "docker",
        "url": "https://cgr.dev/",
        "username": "org/new",
        "password": "pull-token-password",
        "enableTokenAuthentication": True,
    }
    assert result["diff"]["before"] == {}
    assert "pull-token-password" not in str(result)


def test_check_mode_predicts_the_creation_and_sends_no_write(run_module):
    transport = ScriptedTransport(ABSENT, LICENSE)
    result = run_module(artifactory_remote_repository, transport, check=True, **WANTED)
    real = run_module(artifactory_remote_repository, ScriptedTransport(ABSENT, LICENSE, WRITTEN, stored()), **WANTED)
    assert methods(transport) == ["GET", "GET"]
    assert (result["changed"], result["diff"]) == (real["changed"], real["diff"])


def test_leaves_alone_what_fits(run_module):
    transport = ScriptedTransport(stored())
    result = run_module(artifactory_remote_repository, transport, **WANTED, description="Ours")
    assert result["changed"] is False
    assert methods(transport) == ["GET"]


def test_sends_just_what_differs(run_module):
    transport = ScriptedTransport(stored(enableTokenAuthentication=False), WRITTEN, stored())
    result = run_module(artifactory_remote_repository, transport, **WANTED)
    assert (transport.calls[1], transport.json_body(1)) == (
        ("POST", ONE),
        {"key": "cgr-private", "enableTokenAuthentication": True},
    )
    assert result["diff"] == {
        "before": {"enableTokenAuthentication": False},
        "after": {"enableTokenAuthentication": True},
    }


def test_a_new_user_name_carries_the_password(run_module):
    transport = ScriptedTransport(stored(username="org/old"), WRITTEN, stored())
    run_module(artifactory_remote_repository, transport, **WANTED)
    assert transport.json_body(1) == {"key": "cgr-private", "username": "org/new", "password": "pull-token-password"}


def test_update_password_always(run_module):
    transport = ScriptedTransport(stored(), WRITTEN, stored())
    result = run_module(artifactory_remote_repository, transport, **WANTED, update_password="always")
    assert result["changed"] is True
    assert transport.json_body(1) == {"key": "cgr-private", "password": "pull-token-password"}


def test_a_nested_object_is_filled_up_since_it_is_replaced_whole(run_module):
    transport = ScriptedTransport(
        stored(), WRITTEN, stored(contentSynchronisation={"enabled": True, "statistics": {"enabled": True}})
    )
    run_module(
        artifactory_remote_repository,
        transport,
        **LOGIN,
        key="cgr-private",
        settings={"contentSynchronisation": {"enabled": True}},
    )
    assert transport.json_body(1)["contentSynchronisation"] == {"enabled": True, "statistics": {"enabled": True}}


def test_a_setting_that_was_not_stored_is_an_error(run_module):
    transport = ScriptedTransport(stored(), WRITTEN, stored())
    result = run_module(artifactory_remote_repository, transport, **LOGIN, key="cgr-private", settings={"ofline": True})
    assert result["failed"] and "did not store ofline" in result["msg"]


@pytest.mark.parametrize(("read", "lost"), [("org/old", True), ("org/third", False)], ids=["not-stored", "overtaken"])
def test_a_user_name_that_another_run_wrote_in_this_moment_is_no_error(run_module, read, lost):
    transport = ScriptedTransport(stored(username="org/old"), WRITTEN, stored(username=read))
    result = run_module(artifactory_remote_repository, transport, **WANTED)
    assert result.get("failed", False) is lost


def test_a_creation_without_answer_is_looked_for_not_repeated(run_module):
    transport = ScriptedTransport(ABSENT, LICENSE, ScriptedResponse(503, "busy"), stored(), stored())
    result = run_module(artifactory_remote_repository, transport, **WANTED)
    assert result["changed"] is True
    assert methods(transport) == ["GET", "GET", "PUT", "GET", "GET"]


def test_a_creation_that_did_not_happen_fails(run_module):
    transport = ScriptedTransport(ABSENT, LICENSE, ScriptedResponse(500, "oops"), ABSENT)
    result = run_module(artifactory_remote_repository, transport, **WANTED)
    assert result["failed"] and "status 500" in result["msg"]


@pytest.mark.parametrize(
    ("changes", "play", "words"),
    [
        pytest.param({}, PRO_ONLY, "Pro edition", id="edition"),
        pytest.param(
            {},
            ScriptedResponse(401, {"errors": [{"message": "Bad Credentials"}]}),
            "artifactory_access_token",
            id="login",
        ),
        pytest.param({}, stored(packageType="npm"), "packageType 'npm', not 'docker'", id="package-type"),
        pytest.param({}, stored(rclass="local"), "rclass 'local', not 'remote'", id="class"),
        pytest.param({"state": "absent"}, stored(rclass="local"), "rclass 'local'", id="absent-of-another-class"),
        pytest.param(
            {},
            ScriptedResponse(
                200, {"key": "cgr-private", "rclass": "remote", "packageType": "docker", "url": "https://cgr.dev/"}
            ),
            "only a part of the configuration",
            id="reader",
        ),
        pytest.param(
            {}, ScriptedResponse(301, "", {"Location": "https://x/"}), "a redirect to https://x/", id="redirect"
        ),
        pytest.param({"url": None}, ABSENT, "creating one needs url", id="no-url"),
    ],
)
def test_what_the_server_says_can_end_it_before_any_write(run_module, changes, play, words):
    transport = ScriptedTransport(play)
    result = run_module(artifactory_remote_repository, transport, **{**WANTED, **changes})
    assert result["failed"] and words in result["msg"]
    assert methods(transport) == ["GET"]
    assert "admin-token" not in str(result) and "pull-token-password" not in str(result)


def test_a_login_that_is_no_administrator_is_found_before_a_creation(run_module):
    transport = ScriptedTransport(ABSENT, FORBIDDEN)
    result = run_module(artifactory_remote_repository, transport, **WANTED)
    assert result["failed"] and "administrator" in result["msg"]
    assert "PUT" not in methods(transport)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"key": "x" * 59}, "59 characters; at most 58", id="long-key"),
        pytest.param({"key": "a/b"}, "is not valid", id="slash"),
        pytest.param({"key": "a b"}, "is not valid", id="space"),
        pytest.param({"url": "https://cgr.dev/example.com"}, "has a path", id="path"),
        pytest.param({"url": "cgr.dev"}, "is not a URL", id="no-scheme"),
        pytest.param({"url": "https://me:pw@cgr.dev/"}, "must not contain credentials", id="credentials"),
        pytest.param({"settings": {"password": "x"}}, "must not contain password", id="password-in-settings"),
        pytest.param({"settings": {"url": "x"}}, "must not contain url", id="option-in-settings"),
        pytest.param({"artifactory_url": None}, "artifactory_url is missing", id="no-server"),
        pytest.param({"artifactory_access_token": None}, "Credentials for Artifactory are missing", id="no-login"),
        pytest.param({"username": None}, "username", id="password-without-user"),
    ],
)
def test_bad_input_ends_it_before_any_request(run_module, changes, words):
    transport = ScriptedTransport()
    result = run_module(artifactory_remote_repository, transport, **{**WANTED, **changes})
    assert result["failed"] and words in result["msg"]
    assert not transport.requests


def test_a_smart_remote_may_have_a_path(run_module):
    url = "https://other.example.com/artifactory/api/docker/there"
    transport = ScriptedTransport(stored(url=url))
    assert run_module(artifactory_remote_repository, transport, **{**WANTED, "url": url})["changed"] is False


def test_absent(run_module):
    options = {**LOGIN, "key": "cgr-private", "state": "absent"}
    transport = ScriptedTransport(stored(), ScriptedResponse(200, "removed"))
    assert run_module(artifactory_remote_repository, transport, **options)["changed"] is True
    assert transport.calls[1] == ("DELETE", ONE)
    assert run_module(artifactory_remote_repository, ScriptedTransport(ABSENT), **options)["changed"] is False
    check = ScriptedTransport(stored())
    assert run_module(artifactory_remote_repository, check, check=True, **options)["changed"] is True


def test_basic_login(run_module):
    transport = ScriptedTransport(stored())
    login = {"artifactory_access_token": None, "artifactory_username": "admin", "artifactory_password": "pw"}
    run_module(artifactory_remote_repository, transport, **{**WANTED, **login})
    assert transport.requests[0].headers["Authorization"] == "Basic YWRtaW46cHc="


ALL = ScriptedResponse(
    200,
    {
        "LOCAL": [{"key": "here", "type": "local", "packageType": "docker"}],
        "REMOTE": [
            {"key": "z", "type": "remote", "packageType": "docker", "username": "u", "password": "AM.cipher"},
            {"key": "a", "type": "remote", "packageType": "npm", "projectKey": "default"},
        ],
    },
)


def test_info_takes_one_request_where_the_server_can(run_module):
    transport = ScriptedTransport(ALL)
    result = run_module(artifactory_repository_info, transport, **LOGIN)
    assert [one["key"] for one in result["repositories"]] == ["a", "here", "z"]
    assert transport.calls == [("GET", f"{BASE}/artifactory/api/repositories/configurations")]
    assert "password" not in str(result["repositories"]) and "projectKey" not in result["repositories"][0]


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({"rclass": "remote"}, ["a", "z"]),
        ({"package_type": "Docker"}, ["here", "z"]),
        ({"repository_keys": ["z", "none"]}, ["z"]),
    ],
)
def test_info_filters(run_module, options, keys):
    result = run_module(artifactory_repository_info, ScriptedTransport(ALL), **LOGIN, **options)
    assert [one["key"] for one in result["repositories"]] == keys


def test_info_queries(run_module):
    result = run_module(artifactory_repository_info, ScriptedTransport(ALL), **LOGIN, query="[?username].key")
    assert result["result"] == ["z"]


def test_info_refuses_a_bad_query_before_any_request(run_module):
    transport = ScriptedTransport()
    result = run_module(artifactory_repository_info, transport, **LOGIN, query="[?")
    assert "JMESPath expression" in result["msg"] and not transport.requests


def test_info_on_an_older_server_reads_each(run_module):
    rows = ScriptedResponse(200, [{"key": "cgr-private"}, {"key": "b"}])
    transport = ScriptedTransport(ABSENT, LICENSE, rows, ABSENT, stored())
    result = run_module(artifactory_repository_info, transport, **LOGIN)
    assert [one["key"] for one in result["repositories"]] == ["cgr-private"]
    assert result["repositories"][0]["description"] == "Ours"


CACHE = {**LOGIN, "key": "cgr-private"}


def test_cache_expires_all_or_some(run_module):
    transport = ScriptedTransport(ScriptedResponse(200, "done"), ScriptedResponse(200, "done"))
    assert run_module(artifactory_repository_cache, transport, **CACHE, state="expired")["paths"] == [""]
    run_module(artifactory_repository_cache, transport, **CACHE, state="expired", paths=["/example.com/nginx/"])
    assert transport.calls == [
        ("POST", f"{BASE}/artifactory/api/zap/cgr-private-cache/"),
        ("POST", f"{BASE}/artifactory/api/zap/cgr-private-cache/example.com/nginx"),
    ]


def test_cache_deletes_what_is_there(run_module):
    plays = [ScriptedResponse(200, {}), ScriptedResponse(404, ""), ScriptedResponse(204, "")]
    transport = ScriptedTransport(*plays)
    result = run_module(artifactory_repository_cache, transport, **CACHE, state="absent", paths=["a", "b"])
    assert (result["changed"], result["paths"]) == (True, ["a"])
    assert transport.calls[2] == ("DELETE", f"{BASE}/artifactory/cgr-private-cache/a")
    check = ScriptedTransport(*plays[:2])
    again = run_module(artifactory_repository_cache, check, check=True, **CACHE, state="absent", paths=["a", "b"])
    assert (again["changed"], again["paths"]) == (True, ["a"])


def test_cache_deletes_the_whole_of_it_when_that_is_asked_for(run_module):
    children = {"children": [{"uri": "/com", "folder": True}, {"uri": "/robots.txt", "folder": False}]}
    plays = [ScriptedResponse(200, answer) for answer in (children, {}, {}, "", "")]
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
    ("options", "word"),
    [
        ({"state": "expired", "entire_cache": True}, "state=absent"),
        ({"state": "absent"}, "paths"),
        ({"state": "absent", "paths": ["a"], "entire_cache": True}, "mutually exclusive"),
    ],
)
def test_cache_refuses_what_makes_no_sense(run_module, options, word):
    result = run_module(artifactory_repository_cache, ScriptedTransport(), **CACHE, **options)
    assert result["failed"] and word in result["msg"]


def test_cache_in_check_mode_sends_nothing(run_module):
    assert run_module(artifactory_repository_cache, ScriptedTransport(), check=True, **CACHE, state="expired")[
        "changed"
    ]


def test_cache_never_deletes_everything(run_module):
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


def test_cache_of_several_repositories_in_one_task(run_module):
    predicted = Caches()
    check = run_module(
        artifactory_repository_cache, predicted.transport, check=True, **LOGIN, repositories=REPOSITORIES
    )
    caches = Caches()
    result = run_module(artifactory_repository_cache, caches.transport, **LOGIN, repositories=REPOSITORIES)
    assert [(item["key"], item["failed"], item["changed"], item["paths"]) for item in result["repositories"]] == [
        ("a", False, True, [""]),
        ("b", False, True, ["x"]),
        ("c", False, True, ["com"]),
    ]
    assert caches.writes == [("DELETE", "/b-cache/x"), ("DELETE", "/c-cache/com"), ("POST", "/api/zap/a-cache/")]
    assert [diff["before_header"] for diff in result["diff"]] == ["a", "b", "c"]
    assert predicted.writes == []
    assert (check["repositories"], check["diff"]) == (result["repositories"], result["diff"])


def test_cache_of_a_repository_that_fails_does_not_stop_the_others(run_module):
    caches = Caches(denied=["a"])
    result = run_module(artifactory_repository_cache, caches.transport, **LOGIN, repositories=REPOSITORIES)
    assert result["failed"] is True and result["changed"] is True
    assert result["msg"].startswith("a: POST ") and "\n" not in result["msg"]
    assert [item["failed"] for item in result["repositories"]] == [True, False, False]
    assert result["repositories"][0]["error"]["status"] == 403
    assert ("DELETE", "/c-cache/com") in caches.writes


@pytest.mark.parametrize(
    ("repositories", "words"),
    [
        ([{"key": "a", "state": "expired"}] * 2, "a is in the list more than once"),
        ([{"key": "a", "state": "absent"}], "state=absent needs paths"),
        ([{"key": "a"}], "missing required arguments: state found in repositories"),
        ([{"key": "a", "state": "absent", "paths": ["x"], "entire_cache": True}], "paths|entire_cache"),
    ],
)
def test_bad_input_in_a_list_of_caches_ends_it_before_any_request(run_module, repositories, words):
    transport = ScriptedTransport()
    result = run_module(artifactory_repository_cache, transport, **LOGIN, repositories=repositories)
    assert result["failed"] and words in result["msg"]
    assert transport.requests == []


@pytest.mark.parametrize(("options", "words"), [(LOGIN, "key, repositories"), (CACHE, "state")])
def test_cache_needs_a_key_and_a_state(run_module, options, words):
    assert words in run_module(artifactory_repository_cache, ScriptedTransport(), **options)["msg"]


@pytest.mark.parametrize(
    ("module", "list_option", "item", "plays"),
    [
        (artifactory_remote_repository, "repositories", {"key": "cgr-private", "state": "absent"}, [ABSENT]),
        (artifactory_repository_cache, "repositories", {"key": "a", "state": "expired"}, [ScriptedResponse(200, "")]),
    ],
    ids=["remote-repository", "cache"],
)
def test_the_single_form_returns_what_the_list_form_returns_for_an_item(run_module, module, list_option, item, plays):
    single = run_module(module, ScriptedTransport(*plays), **LOGIN, **item)
    in_list = run_module(module, ScriptedTransport(respond=lambda _request: plays[0]), **LOGIN, **{list_option: [item]})
    result = in_list[list_option][0]
    assert result == {name: single[name] for name in result}
